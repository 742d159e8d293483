//! What of a configuration counts at once when it is read again.

use super::file::{Config, ConfigError};
use super::settings::Settings;
use crate::logger::RingLogger;

impl RingLogger {
    /// Lets a configuration count that was read again: its `level` or `filter`. A filter in the
    /// environment ([`Builder::filter_variable`](crate::Builder::filter_variable)) still has the last
    /// word. Everything else counts from the next start on.
    ///
    /// Takes locks, and visits every statement that has run; nobody who logs waits.
    ///
    /// ```
    /// use ringlog::{Config, Level};
    ///
    /// let logger = Config::preset("dev")?.builder()?.build()?;
    /// assert_eq!(logger.level(), Level::Debug.into());
    /// logger.reload(&Config::from_toml("filter = 'warn,engine::risk=trace'")?)?;
    /// assert_eq!(logger.filter(), "warn,engine::risk=trace".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The filter in the environment cannot be read. All is as before.
    pub fn reload(&self, config: &Config) -> Result<(), ConfigError> {
        let Settings { builder, .. } = config.settings()?;
        let filter = builder.effective_filter().map_err(ConfigError::Filter)?;
        self.replace_filter(filter);
        Ok(())
    }
}
