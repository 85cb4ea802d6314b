//! A straight line through points, and how sure its slope is.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::number::float;
use crate::verdict::CONFIDENCE;

/// The slope of a line fitted by ordinary least squares, with its 95 % confidence interval by Student's t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The estimate: so much for each unit.
    pub estimate: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
    /// The line's height where the units begin.
    pub at_zero: f64,
}

impl Slope {
    /// Whether the interval contains 0.
    #[must_use]
    pub fn contains_zero(&self) -> bool {
        self.low <= 0.0 && self.high >= 0.0
    }

    /// For units that are so many times as large.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self {
            estimate: self.estimate * factor,
            low: self.low * factor,
            high: self.high * factor,
            at_zero: self.at_zero,
        }
    }
}

/// Fits a line. None for fewer than three points, or when all of them are at one place.
#[must_use]
pub fn fit(points: &[(f64, f64)]) -> Option<Slope> {
    let (origin, rest) = points.split_first()?;
    if rest.len() < 2 {
        return None;
    }
    let n = float(u64::try_from(points.len()).ok()?);
    // From the first point: integers that are equal then differ by exactly nothing.
    let moved = || points.iter().map(|(x, y)| (x - origin.0, y - origin.1));
    let (mean_x, mean_y) = moved().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let sxx: f64 = moved().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let sxy: f64 = moved().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    if sxx <= 0.0 {
        return None;
    }
    let estimate = sxy / sxx;
    let residuals: f64 = moved().map(|(x, y)| (y - mean_y - estimate * (x - mean_x)).powi(2)).sum();
    let freedom = n - 2.0;
    let error = (residuals / freedom / sxx).sqrt();
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.5 + CONFIDENCE / 2.0);
    Some(Slope {
        estimate,
        low: estimate - t * error,
        high: estimate + t * error,
        at_zero: origin.1 + mean_y - estimate * (origin.0 + mean_x),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{a} is not {b}");
    }

    #[test]
    fn equal_values_have_no_slope_at_all() {
        let points: Vec<_> = (0..20_u32).map(|i| (f64::from(i) * 284.0, 1_234_567.0)).collect();
        let slope = fit(&points).unwrap();
        assert_eq!((slope.estimate, slope.low, slope.high), (0.0, 0.0, 0.0));
        assert_eq!(slope.at_zero, 1_234_567.0);
        assert!(slope.contains_zero());
    }

    #[test]
    fn a_line_is_found() {
        let points: Vec<_> = (0..20_u32).map(|i| (f64::from(i), 5e6 + 16.0 * f64::from(i))).collect();
        let slope = fit(&points).unwrap();
        close(slope.estimate, 16.0);
        assert!(slope.low > 15.999 && slope.high < 16.001 && !slope.contains_zero());
    }

    #[test]
    fn too_little_is_nothing() {
        assert!(fit(&[]).is_none());
        assert!(fit(&[(0.0, 1.0), (1.0, 2.0)]).is_none());
        assert!(fit(&[(3.0, 1.0), (3.0, 2.0), (3.0, 5.0)]).is_none());
    }
}
