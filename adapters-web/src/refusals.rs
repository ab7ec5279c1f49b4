//! The answers that `hyper` makes by itself (400, 431): with the headers that every answer has.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::answer::HEADERS;

/// A connection. What is written before a request was handed on is an answer of `hyper`'s own: its first
/// line stays, and the rest is ours.
pub struct Refusals<S> {
    stream: S,
    is_handed_on: Rc<Cell<bool>>,
    refusal: Option<Vec<u8>>,
    written: usize,
}

impl<S> Refusals<S> {
    /// Over this connection; `is_handed_on` is set by whoever gets the request.
    pub fn new(stream: S, is_handed_on: Rc<Cell<bool>>) -> Self {
        Self {
            stream,
            is_handed_on,
            refusal: None,
            written: 0,
        }
    }
}

/// The whole answer, of the first line of another.
fn refusal(answer: &[u8]) -> Vec<u8> {
    let mut lines = answer.split(|byte| *byte == b'\r');
    let mut refusal = lines.next().unwrap_or_default().to_vec();
    for (name, value) in HEADERS {
        refusal.extend(format!("\r\n{name}: {value}").into_bytes());
    }
    refusal.extend(b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    refusal
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Refusals<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut stream = Pin::new(&mut this.stream);
        if this.is_handed_on.get() {
            return stream.poll_write(context, bytes);
        }
        let refusal = this.refusal.get_or_insert_with(|| refusal(bytes));
        while let Some(rest) = refusal.get(this.written..).filter(|rest| !rest.is_empty()) {
            let written = ready!(stream.as_mut().poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.written += written;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Refusals<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}
