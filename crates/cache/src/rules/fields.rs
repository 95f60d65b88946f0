//! What the rules see of messages.

use http::Method;

/// The header fields of a message. Names are compared without case.
pub trait Fields {
    /// Name and value of every field line, in the order they came.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// The values of the field lines of that name (in lower case), in order.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The value of the first field line of that name (in lower case).
    fn first<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.values(name).next()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Fields for [(N, V)] {
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        <[(N, V)]>::iter(self).map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Fields for Vec<(N, V)> {
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Fields::iter(self.as_slice())
    }
}

impl<F: Fields + ?Sized> Fields for &F {
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (**self).iter()
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        (**self).values(name)
    }
}

/// A request as far as caching goes.
#[derive(Debug)]
pub struct Request<'a, F: ?Sized> {
    /// The method.
    pub method: &'a Method,
    /// The header fields.
    pub fields: &'a F,
}

impl<F: ?Sized> Clone for Request<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: ?Sized> Copy for Request<'_, F> {}

/// A response as far as caching goes.
#[derive(Debug)]
pub struct Response<'a, F: ?Sized> {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub fields: &'a F,
}

impl<F: ?Sized> Clone for Response<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: ?Sized> Copy for Response<'_, F> {}

/// When a response was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When the request was sent on, Unix milliseconds.
    pub sent_ms: u64,
    /// When the head of the response had arrived, Unix milliseconds.
    pub received_ms: u64,
}
