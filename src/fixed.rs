//! Decimal numbers, exact.

use std::fmt::{self, Write};

/// A decimal number: `mantissa * 10^exponent`, as exchanges have their prices.
///
/// A record stores it as its nine bytes; the consumer does the digits. What is shown is exact:
/// nothing goes through a float.
///
/// It is displayed with as many digits behind the point as the exponent says, trailing zeros
/// included, and takes all of a number's flags. A precision rounds, half to even. `{:?}` is the
/// same as `{}`.
///
/// ```
/// use ringlog::{Fixed, info};
///
/// let price = Fixed::new(4_512_575, -2);
/// assert_eq!(price.to_string(), "45125.75");
/// assert_eq!(format!("{price:.1}|{price:+12}|{price:012.3}"), "45125.8|   +45125.75|00045125.750");
/// assert_eq!(Fixed::new(-5, -3).to_string(), "-0.005");
/// assert_eq!(Fixed::new(12, 3).to_string(), "12000");
/// info!("filled at {price}");
/// ```
///
/// Two are equal if mantissa and exponent are: `1.5` and `1.50` are not.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Fixed {
    /// The digits, without the point.
    pub mantissa: i64,
    /// The power of ten: `-2` for two digits behind the point.
    pub exponent: i8,
}

impl Fixed {
    /// `mantissa * 10^exponent`.
    #[must_use]
    #[inline]
    pub const fn new(mantissa: i64, exponent: i8) -> Fixed {
        Fixed { mantissa, exponent }
    }

    /// Writes the number without its sign.
    pub(crate) fn write_magnitude(
        &self,
        precision: Option<usize>,
        out: &mut impl Write,
    ) -> fmt::Result {
        let mut magnitude = u128::from(self.mantissa.unsigned_abs());
        // Digits behind the point, and zeros in front of it.
        let (mut behind, zeros) = match usize::try_from(self.exponent) {
            Ok(zeros) => (0, zeros),
            Err(_) => (usize::from(self.exponent.unsigned_abs()), 0),
        };
        if let Some(dropped) = precision.and_then(|digits| behind.checked_sub(digits)) {
            magnitude = rounded(magnitude, dropped);
            behind -= dropped;
        }
        let mut buffer = [0; 39];
        let digits = digits(magnitude, &mut buffer);
        let (whole, fraction) = match digits.len().checked_sub(behind) {
            Some(point) => digits.split_at(point),
            None => ("", digits),
        };
        out.write_str(if whole.is_empty() { "0" } else { whole })?;
        if magnitude != 0 {
            put_zeros(zeros, out)?;
        }
        let extra = precision.unwrap_or(0).saturating_sub(behind);
        if behind + extra > 0 {
            out.write_str(".")?;
            put_zeros(behind - fraction.len(), out)?;
            out.write_str(fraction)?;
            put_zeros(extra, out)?;
        }
        Ok(())
    }
}

/// Without the last digits, rounded half to even.
fn rounded(magnitude: u128, dropped: usize) -> u128 {
    // No mantissa has more than 19 digits.
    if dropped > 20 {
        return 0;
    }
    let unit = 10_u128.pow(dropped as u32);
    let (quotient, rest) = (magnitude / unit, magnitude % unit);
    match (rest * 2).cmp(&unit) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient % 2,
    }
}

/// The digits of a number, in the end of the buffer.
fn digits(mut number: u128, buffer: &mut [u8; 39]) -> &str {
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || start == 0 {
            break;
        }
    }
    std::str::from_utf8(&buffer[start..]).unwrap_or_default()
}

fn put_zeros(count: usize, out: &mut impl Write) -> fmt::Result {
    (0..count).try_for_each(|_| out.write_str("0"))
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(40);
        self.write_magnitude(f.precision(), &mut text)?;
        f.pad_integral(self.mantissa >= 0, "", &text)
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
