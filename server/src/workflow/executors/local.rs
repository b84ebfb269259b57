//! Jobs in this process, as many at once as cores and memory allow.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::places::Places;
use super::{Executor, Needs, Order};
use crate::environment::Environment;
use crate::workflow::job::{self, Ended, Halt, Terms};
use crate::workflow::stop::Stop;

/// Runs jobs in this process.
#[derive(Debug)]
pub struct LocalExecutor {
    environment: Environment,
    limits: Needs,
    places: Places,
    stop: Stop,
}

impl LocalExecutor {
    /// An executor that uses at most `limits` at once.
    pub fn new(environment: Environment, limits: Needs, stop: Stop) -> Self {
        Self { environment, limits, places: Places::new(limits), stop }
    }

    /// What a job gets that asks for `needs`: no more than there is.
    fn granted(&self, needs: Needs) -> Needs {
        Needs {
            cores: needs.cores.clamp(1, self.limits.cores),
            memory_mb: needs.memory_mb.min(self.limits.memory_mb),
        }
    }
}

impl Executor for LocalExecutor {
    fn execute(&self, order: Order) -> BoxFuture<'_, Result<Ended, Halt>> {
        async move {
            let granted = self.granted(order.needs);
            let taken = if order.alone { self.limits } else { granted };
            let _place = tokio::select! {
                biased;
                () = self.stop.asked() => return Err(Halt::Stopping),
                () = order.kill.cancelled() => return Err(Halt::Killed),
                place = self.places.take(order.submission, taken) => place,
            };
            let lowered = (granted != order.needs).then(|| {
                format!(
                    "asked for {} cores and {} MB of memory; the machine's limits allow {} cores and {} MB",
                    order.needs.cores, order.needs.memory_mb, granted.cores, granted.memory_mb
                )
            });
            let terms =
                Terms { stop: &self.stop, kill: &order.kill, remark: lowered.as_deref(), own_process: false };
            job::run(&self.environment, order.task, terms).await
        }
        .boxed()
    }
}
