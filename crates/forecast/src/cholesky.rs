//! Small symmetric systems, solved by Cholesky's factors.

/// A lower triangle `L` with `L·Lᵀ` = the matrix it was made of.
#[derive(Debug)]
pub(crate) struct Cholesky {
    size: usize,
    /// Row by row, `size × size`; what is above the diagonal is 0.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors the symmetric matrix `entry(row, column)`. An error names the first row that the rows before it
    /// explain up to the share `tolerance` of its diagonal: the matrix is not safely positive definite.
    pub(crate) fn of(
        size: usize,
        tolerance: f64,
        entry: impl Fn(usize, usize) -> f64,
    ) -> Result<Self, usize> {
        let mut lower = vec![0.0; size * size];
        for row in 0..size {
            for column in 0..=row {
                let known: f64 = (0..column).map(|k| lower[row * size + k] * lower[column * size + k]).sum();
                let rest = entry(row, column) - known;
                let sound = rest.is_finite() && rest > tolerance * entry(row, row);
                lower[row * size + column] = match (row == column, sound) {
                    (true, true) => rest.sqrt(),
                    (true, false) => return Err(row),
                    (false, _) => rest / lower[column * size + column],
                };
            }
        }
        Ok(Self { size, lower })
    }

    /// The `x` with matrix · `x` = `right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (size, lower) = (self.size, &self.lower);
        let mut x = right.to_vec();
        for row in 0..size {
            let known: f64 = (0..row).map(|k| lower[row * size + k] * x[k]).sum();
            x[row] = (x[row] - known) / lower[row * size + row];
        }
        for row in (0..size).rev() {
            let known: f64 = (row + 1..size).map(|k| lower[k * size + row] * x[k]).sum();
            x[row] = (x[row] - known) / lower[row * size + row];
        }
        x
    }

    /// A column of the matrix's inverse.
    pub(crate) fn inverse_column(&self, column: usize) -> Vec<f64> {
        let mut unit = vec![0.0; self.size];
        unit[column] = 1.0;
        self.solve(&unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRIX: [[f64; 3]; 3] = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.0], [0.6, 1.0, 3.0]];

    #[test]
    fn systems_are_solved() {
        let factors = Cholesky::of(3, 1e-12, |row, column| MATRIX[row][column]).unwrap();
        let x = factors.solve(&[1.0, -2.0, 3.0]);
        for (row, expected) in MATRIX.iter().zip([1.0, -2.0, 3.0]) {
            let product: f64 = row.iter().zip(&x).map(|(a, b)| a * b).sum();
            assert!((product - expected).abs() < 1e-12);
        }
        let inverse = factors.inverse_column(1);
        let product: f64 = MATRIX[1].iter().zip(&inverse).map(|(a, b)| a * b).sum();
        assert!((product - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_row_that_others_explain_is_named() {
        assert_eq!(Cholesky::of(2, 1e-12, |_, _| 1.0).map(|_| ()), Err(1));
        assert_eq!(Cholesky::of(2, 1e-12, |_, _| f64::NAN).map(|_| ()), Err(0));
        assert_eq!(Cholesky::of(1, 1e-12, |_, _| 0.0).map(|_| ()), Err(0));
    }
}
