//! What a server says, in words that can be compared and read.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Values longer than this are told by their length and a hash.
const SHOWN: usize = 120;

/// A message from a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    pub tag: u8,
    pub payload: Vec<u8>,
}

impl Reply {
    /// The fields of an error or a notice, by their letters.
    pub fn fields(&self) -> Vec<(char, String)> {
        let mut reader = Reader(&self.payload);
        let mut fields = Vec::new();
        while let Some(letter) = reader.byte().filter(|letter| *letter != 0) {
            fields.push((char::from(letter), reader.text()));
        }
        fields
    }

    /// A field of an error or a notice; empty if it has none.
    pub fn field(&self, letter: char) -> String {
        let field = self.fields().into_iter().find(|(known, _)| *known == letter);
        field.map(|(_, value)| value).unwrap_or_default()
    }

    /// SQLSTATE of an error or a notice.
    pub fn code(&self) -> String {
        self.field('C')
    }

    /// The sentence of an error or a notice.
    pub fn sentence(&self) -> String {
        self.field('M')
    }

    /// The values of a row, in text; NULL is `None`.
    pub fn row(&self) -> Vec<Option<String>> {
        assert_eq!(self.tag, b'D', "no row: {self}");
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        self.values().into_iter().map(|value| value.map(text)).collect()
    }

    fn values(&self) -> Vec<Option<&[u8]>> {
        let mut reader = Reader(&self.payload);
        (0..reader.short()).map(|_| reader.value()).collect()
    }

    /// Names of the columns of a row description.
    pub fn columns(&self) -> Vec<String> {
        assert_eq!(self.tag, b'T', "no columns: {self}");
        self.described().into_iter().map(|(name, _)| name).collect()
    }

    /// Name and description of the columns. A table's number differs from run to run and is left out.
    fn described(&self) -> Vec<(String, String)> {
        let mut reader = Reader(&self.payload);
        let count = reader.short();
        let column = |_| {
            let name = reader.text();
            let table = if reader.long() == 0 { "" } else { " of a table" };
            let (attribute, kind, size) = (reader.short(), reader.long(), reader.short());
            let (modifier, format) = (reader.long(), reader.short());
            (name, format!("{attribute}{table} type {kind}({size}, {modifier}) as {format}"))
        };
        (0..count).map(column).collect()
    }

    /// Name and value of a parameter's status.
    pub fn parameter(&self) -> (String, String) {
        let mut reader = Reader(&self.payload);
        (reader.text(), reader.text())
    }

    fn copying(&self, way: &str) -> String {
        let mut reader = Reader(&self.payload);
        let format = reader.byte().unwrap_or_default();
        let columns: Vec<_> = (0..reader.short()).map(|_| reader.short()).collect();
        format!("Copy{way} {format} {columns:?}")
    }

    fn words(&self) -> String {
        let mut reader = Reader(&self.payload);
        match self.tag {
            b'R' => format!("Authentication {}", reader.long()),
            b'K' => format!("Key of {} bytes", self.payload.len().saturating_sub(4)),
            b'S' => format!("Parameter {}={}", reader.text(), reader.text()),
            b'v' => {
                let (minor, count) = (reader.long(), reader.long());
                let unknown: Vec<_> = (0..count).map(|_| reader.text()).collect();
                format!("Negotiate {minor} {unknown:?}")
            }
            b'Z' => format!("Ready {}", char::from(reader.byte().unwrap_or(b'?'))),
            b'1' => "ParseComplete".into(),
            b'2' => "BindComplete".into(),
            b'3' => "CloseComplete".into(),
            b'n' => "NoData".into(),
            b's' => "Suspended".into(),
            b'I' => "Empty".into(),
            b'c' => "CopyDone".into(),
            b'd' => format!("CopyData {}", shown(&self.payload)),
            b'G' => self.copying("In"),
            b'H' => self.copying("Out"),
            b'W' => self.copying("Both"),
            b'C' => format!("Complete {}", reader.text()),
            b'E' => format!("Error {}", self.report()),
            b'N' => format!("Notice {}", self.report()),
            b'A' => {
                reader.long();
                format!("Notification {} {:?}", reader.text(), reader.text())
            }
            b'V' => format!("Result {}", reader.value().map_or("null".into(), shown)),
            b't' => {
                let types: Vec<_> = (0..reader.short()).map(|_| reader.long()).collect();
                format!("Parameters {types:?}")
            }
            b'T' => {
                let columns = self.described().into_iter();
                let columns: Vec<_> = columns.map(|(name, words)| format!("{name}: {words}")).collect();
                format!("Columns [{}]", columns.join(", "))
            }
            b'D' => {
                let values = self.values().into_iter();
                let values: Vec<_> = values.map(|value| value.map_or("null".into(), shown)).collect();
                format!("Row [{}]", values.join(", "))
            }
            tag => format!("message {:?} {}", char::from(tag), shown(&self.payload)),
        }
    }

    /// All fields but the place in the server's source. Schemas of temporary tables are numbered by session.
    fn report(&self) -> String {
        let fields = self.fields().into_iter().filter(|(letter, _)| !"VFLR".contains(*letter));
        let fields: Vec<_> = fields.map(|(letter, value)| format!("{letter}:{value}")).collect();
        without_temporary_numbers(&fields.join(" "))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

fn without_temporary_numbers(text: &str) -> String {
    let mut parts = text.split("pg_temp_");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "pg_temp" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= SHOWN {
        return format!("{:?}", String::from_utf8_lossy(bytes));
    }
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{} bytes, hash {:x}", bytes.len(), hasher.finish())
}

/// Reads what is there; beyond the end everything is zero or empty.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).first().copied()
    }

    fn short(&mut self) -> i16 {
        self.take(2).try_into().map(i16::from_be_bytes).unwrap_or_default()
    }

    fn long(&mut self) -> i32 {
        self.take(4).try_into().map(i32::from_be_bytes).unwrap_or_default()
    }

    fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = String::from_utf8_lossy(self.take(end)).into_owned();
        self.take(1);
        text
    }

    fn value(&mut self) -> Option<&'a [u8]> {
        let length = self.long();
        usize::try_from(length).ok().map(|length| self.take(length))
    }
}
