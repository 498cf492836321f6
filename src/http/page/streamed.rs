//! Answers that are made part by part while they are sent, and are never whole in memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

/// Makes the parts of one answer.
pub(super) trait Source: Sized + 'static {
    /// The next part and the source of those after it; `None` after the last.
    /// [`CutOff`] breaks the connection, so that nobody takes half of an answer for the whole.
    async fn next(self) -> Result<Option<(Bytes, Self)>, CutOff>;
}

/// The rest could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the answer could not be made")]
pub(super) struct CutOff;

type Next<T> = Pin<Box<dyn Future<Output = Result<Option<(Bytes, T)>, CutOff>>>>;

pub(super) struct Streamed<T>(Option<Next<T>>);

impl<T: Source> Streamed<T> {
    pub(super) fn of(source: T) -> Self {
        Self(Some(Box::pin(source.next())))
    }
}

impl<T: Source> MessageBody for Streamed<T> {
    type Error = CutOff;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, CutOff>>> {
        let Some(next) = self.0.as_mut() else { return Poll::Ready(None) };
        let Poll::Ready(made) = next.as_mut().poll(context) else { return Poll::Pending };
        self.0 = None;
        Poll::Ready(match made {
            Ok(Some((bytes, source))) => {
                self.0 = Some(Box::pin(source.next()));
                Some(Ok(bytes))
            }
            Ok(None) => None,
            Err(broken) => Some(Err(broken)),
        })
    }
}
