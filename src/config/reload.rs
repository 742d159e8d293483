//! What of a configuration counts at once when it is read again.

use super::file::{Config, ConfigError};
use super::reader::Path;
use super::settings::Settings;
use crate::logger::RingLogger;
use crate::routing::Reselection;

impl RingLogger {
    /// Lets a configuration count that was read again: its level or filter, what is masked, which
    /// records each sink gets, and the routes. A filter in the environment
    /// ([`Builder::filter_variable`](crate::Builder::filter_variable)) still has the last word.
    /// Everything else counts from the next start on.
    ///
    /// Takes locks, and visits every statement that has run; nobody who logs waits. What the sinks
    /// get, and what is masked in it, changes with the consumer's next round.
    ///
    /// ```
    /// use ringlog::{Config, Level};
    ///
    /// let logger = Config::preset("dev")?.builder()?.build()?;
    /// assert_eq!(logger.level(), Level::Debug.into());
    /// let text = "preset = 'dev'\nfilter = 'warn,engine::risk=trace'";
    /// logger.reload(&Config::from_toml(text)?)?;
    /// assert_eq!(logger.filter(), "warn,engine::risk=trace".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The sinks are not those that the logger was built with, a route leads to a sink that there is
    /// not, or the filter in the environment cannot be read. All is as before.
    pub fn reload(&self, config: &Config) -> Result<(), ConfigError> {
        let Settings { builder, sinks } = config.settings()?;
        let known = self.configured();
        let identities: Vec<String> = sinks.iter().map(|sink| sink.identity()).collect();
        if identities != known {
            let same = identities.iter().zip(&known).take_while(|(a, b)| a == b);
            let path = Path::default().key("sinks").place(same.count());
            return Err(ConfigError::OtherSinks {
                place: config.place(&path),
                key: path.to_string(),
            });
        }
        let filter = builder.effective_filter().map_err(ConfigError::Reload)?;
        let wishes = sinks.into_iter().map(|sink| {
            let options = sink.options;
            (options.level, options.filter)
        });
        let reselection = Reselection {
            wishes: wishes.collect(),
            routes: builder.routes,
        };
        self.reselect(reselection).map_err(ConfigError::Reload)?;
        self.set_redaction(builder.redaction);
        self.replace_filter(filter);
        Ok(())
    }
}
