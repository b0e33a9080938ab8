//! A write on its way: what it does, who waits for it.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::oneshot;

use crate::commit::Tx;
use crate::error::{Error, Result};

/// One kind of write. `run` may be called again after a lost transaction, so it leaves `self` as it is.
pub(crate) trait Verb: Send + Sync + 'static {
    /// What the caller gets after the commit.
    type Output: Send + Sync + 'static;
    /// Writes within the transaction.
    fn run(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// A verb with somebody waiting for it.
pub(crate) struct Pending<V: Verb> {
    verb: V,
    output: Option<V::Output>,
    reply: oneshot::Sender<Result<V::Output>>,
}

impl<V: Verb> Pending<V> {
    pub(crate) fn job(verb: V) -> (Box<dyn Job>, oneshot::Receiver<Result<V::Output>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self { verb, output: None, reply }), answer)
    }
}

/// A [`Pending`] of any verb.
pub(crate) trait Job: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;
    fn answer(self: Box<Self>, failure: Option<Error>);
}

impl<V: Verb> Job for Pending<V> {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move {
            self.output = Some(self.verb.run(tx).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        let this = *self;
        drop(this.verb);
        let result = match (failure, this.output) {
            (Some(error), _) => Err(error),
            (None, Some(output)) => Ok(output),
            (None, None) => Err(Error::Closed),
        };
        // Whoever asked may be gone; the work is done all the same.
        let _ = this.reply.send(result);
    }
}
