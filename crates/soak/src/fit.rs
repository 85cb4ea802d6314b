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
    /// How far the points lie from the line: the standard deviation of the residuals.
    pub scatter: f64,
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
        Self { estimate: self.estimate * factor, low: self.low * factor, high: self.high * factor, ..*self }
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
    let scatter = (residuals / freedom).sqrt();
    let error = scatter / sxx.sqrt();
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.5 + CONFIDENCE / 2.0);
    Some(Slope {
        estimate,
        low: estimate - t * error,
        high: estimate + t * error,
        at_zero: origin.1 + mean_y - estimate * (origin.0 + mean_x),
        scatter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{a} is not {b}");
    }

    /// y and x of Norris, a data set of NIST's Statistical Reference Datasets (linear regression), and its certified
    /// values: B0 −0.262323073774029, B1 1.00211681802045 with a standard deviation of 0.429796848199937E-03.
    const NORRIS: [(f64, f64); 36] = [
        (0.1, 0.2),
        (338.8, 337.4),
        (118.1, 118.2),
        (888.0, 884.6),
        (9.2, 10.1),
        (228.1, 226.5),
        (668.5, 666.3),
        (998.5, 996.3),
        (449.1, 448.6),
        (778.9, 777.0),
        (559.2, 558.2),
        (0.3, 0.4),
        (0.1, 0.6),
        (778.1, 775.5),
        (668.8, 666.9),
        (339.3, 338.0),
        (448.9, 447.5),
        (10.8, 11.6),
        (557.7, 556.0),
        (228.3, 228.1),
        (998.0, 995.8),
        (888.8, 887.6),
        (119.6, 120.2),
        (0.3, 0.3),
        (0.6, 0.3),
        (557.6, 556.8),
        (339.3, 339.1),
        (888.0, 887.2),
        (998.5, 999.0),
        (778.9, 779.0),
        (10.2, 11.1),
        (117.6, 118.3),
        (228.9, 229.2),
        (668.4, 669.1),
        (449.2, 448.9),
        (0.2, 0.5),
    ];

    #[test]
    fn certified_values_come_out() {
        let points: Vec<_> = NORRIS.iter().map(|(y, x)| (*x, *y)).collect();
        let slope = fit(&points).unwrap();
        assert!((slope.estimate - 1.002_116_818_020_45).abs() < 1e-13, "{slope:?}");
        assert!((slope.at_zero - -0.262_323_073_774_029).abs() < 1e-10, "{slope:?}");
        // Tables of Student's t: 2.0322445 for 97.5 % and 34 degrees of freedom.
        let half = 2.032_244_5 * 0.429_796_848_199_937e-3;
        assert!(((slope.high - slope.low) / 2.0 - half).abs() < 1e-9, "{slope:?}");
        // Certified: residual standard deviation 0.884796396144373.
        assert!((slope.scatter - 0.884_796_396_144_373).abs() < 1e-11, "{slope:?}");
        assert!((f64::midpoint(slope.high, slope.low) - slope.estimate).abs() < 1e-12);
    }

    /// Of twenty points, as a window has: Python's `statistics.linear_regression` for the slope; the standard error by
    /// its textbook formula in Python; 2.1009220 is Student's t of tables for 97.5 % and 18 degrees of freedom.
    #[test]
    fn a_window_agrees_with_another_program() {
        let y = [12, 9, 14, 11, 15, 10, 13, 17, 12, 16, 14, 11, 18, 15, 13, 19, 16, 14, 20, 17];
        let points: Vec<_> = y
            .iter()
            .enumerate()
            .map(|(n, y)| (f64::from(u32::try_from(n).unwrap()) * 284.0, f64::from(*y)))
            .collect();
        let slope = fit(&points).unwrap();
        close(slope.estimate, 0.0011437043312506618);
        close((slope.high - slope.low) / 2.0, 2.100_922_0 * 0.00032510308431548264);
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
