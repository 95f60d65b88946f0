//! Rows.

use super::super::Malformed;
use super::super::read::Reader;

/// The values of a row, none for NULL.
#[derive(Debug, Clone)]
pub struct DataRow<'a> {
    left: u16,
    reader: Reader<'a>,
}

impl<'a> DataRow<'a> {
    /// Reads the payload of a [`super::DATA_ROW`].
    ///
    /// # Errors
    /// When it is not laid out as one.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let row = Self { left: reader.u16()?, reader };
        // The whole row is checked here, so that its values can be had without a fault.
        let mut rest = Self { left: row.left, reader };
        while let Some(value) = rest.value() {
            value?;
        }
        rest.reader.end()?;
        Ok(row)
    }

    fn value(&mut self) -> Option<Result<Option<&'a [u8]>, Malformed>> {
        self.left = self.left.checked_sub(1)?;
        Some(self.reader.nullable())
    }
}

impl<'a> Iterator for DataRow<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        self.value()?.ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for DataRow<'_> {}
