//! A few threads of their own for slow hash computations, so that they neither hold up the runtime nor spread: each
//! thread that computed one keeps 19 MiB until nobody logs in for a moment. (On the runtime's many blocking threads a hundred logins left 600 MiB behind.)

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mailwright_store::NewPassword;
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

use super::hash::{HashError, PasswordHash, hash_password, release_memory};
use super::scram::Record;

/// Most computations at once: more than the cores only makes every login slower and takes more memory.
const MAX_THREADS: usize = 8;
/// Computations that may wait for a thread: at 30 ms each on two cores the last of them waits 8 seconds. More are told to come back,
/// which costs nothing, where waiting would cost them the same and us their connections.
const MAX_WAITING: usize = 512;
/// Longest wait for a free thread; a client that waits longer has given up.
const MAX_QUEUE: Duration = Duration::from_secs(30);

/// Pause after which the threads give their memory back, to be taken again by the next login.
const REST: Duration = Duration::from_secs(3);
/// For whom a thread without memory steps aside.
const ASIDE: Duration = Duration::from_millis(10);

/// A computation that answers by itself.
type Job = Box<dyn FnOnce() + Send>;

/// The threads and the way to them. They start with the first job and end when it is dropped.
pub(crate) struct Hasher {
    /// As many permits as threads: a job is handed over only when a thread is free.
    free: Arc<Semaphore>,
    waiting: Semaphore,
    jobs: OnceLock<Sender<Job>>,
}

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher {
            free: Arc::new(Semaphore::new(threads())),
            waiting: Semaphore::new(MAX_WAITING),
            jobs: OnceLock::new(),
        }
    }
}

/// One per core, within bounds.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
}

/// What the threads share.
struct Work {
    jobs: Mutex<Receiver<Job>>,
    /// Threads that keep memory.
    warm: AtomicUsize,
    rest: Duration,
}

/// Starts threads. When the system gives none, the jobs are dropped, and whoever waits for one is told.
fn start(threads: usize, rest: Duration) -> (Sender<Job>, Arc<Work>) {
    let (jobs, waiting) = channel::<Job>();
    let work = Arc::new(Work { jobs: Mutex::new(waiting), warm: AtomicUsize::new(0), rest });
    for _ in 0..threads {
        let work = Arc::clone(&work);
        let thread = std::thread::Builder::new().name("password".into());
        if let Err(error) = thread.spawn(move || work.run()) {
            tracing::error!(%error, "cannot start a thread for password checks");
        }
    }
    (jobs, work)
}

impl Work {
    /// Does one job after the other until nobody can send one any more.
    fn run(&self) {
        let mut warm = false;
        loop {
            match self.next(&mut warm) {
                Ok(job) => job(),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if warm => {
                    release_memory();
                    warm = false;
                    self.warm.fetch_sub(1, Ordering::SeqCst);
                }
                Err(RecvTimeoutError::Timeout) => std::thread::sleep(ASIDE),
            }
        }
    }

    /// The lock is held while waiting: the others wait for it instead, and one job wakes one thread. As long as one of them
    /// keeps memory nobody waits for ever, so that its turn comes.
    fn next(&self, warm: &mut bool) -> Result<Job, RecvTimeoutError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match self.warm.load(Ordering::SeqCst) {
            0 => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)?,
            _ => jobs.recv_timeout(self.rest)?,
        };
        if !*warm {
            *warm = true;
            self.warm.fetch_add(1, Ordering::SeqCst);
        }
        Ok(job)
    }
}

impl Hasher {
    /// The one of this process: a second would keep as much memory again.
    pub(crate) fn shared() -> Arc<Hasher> {
        static SHARED: OnceLock<Arc<Hasher>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(Arc::default))
    }

    /// Runs a computation when a thread is free; `None` when none became free in `patience`, or too many wait already.
    async fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let waiting = self.waiting.try_acquire().ok()?;
        let permit =
            tokio::time::timeout(patience, Arc::clone(&self.free).acquire_owned()).await.ok()?.ok()?;
        drop(waiting);
        let (answer, result) = oneshot::channel();
        let job = move || {
            // Nobody waits any more when the client hung up.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
            drop(permit);
        };
        let jobs = self.jobs.get_or_init(|| start(threads(), REST).0);
        jobs.send(Box::new(job)).ok()?;
        result.await.ok()
    }

    /// All threads, so that nobody else gets one.
    #[cfg(test)]
    pub(super) async fn occupy(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(threads()).unwrap();
        Arc::clone(&self.free).acquire_many_owned(all).await.unwrap()
    }

    /// Hashes a new password, and makes its SCRAM record.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<NewPassword, HashError> {
        let work = move || {
            let hash = hash_password(password.as_bytes())?;
            Ok(NewPassword { hash, scram: record(password.as_bytes()) })
        };
        self.run(MAX_QUEUE, work).await.unwrap_or(Err(HashError::Failed))
    }

    /// What a right password can be kept as: its SCRAM record, and `with_hash` its argon2id hash. `None` when the server is too
    /// busy.
    pub(super) async fn derive(&self, password: Zeroizing<Vec<u8>>, with_hash: bool) -> Option<Derived> {
        let work = move || Derived {
            hash: with_hash.then(|| hash_password(&password).ok()).flatten(),
            scram: record(&password),
        };
        self.run(MAX_QUEUE, work).await
    }

    /// Checks a password and gives it back; no stored hash is nobody's, which costs the same and never matches. `None` when the
    /// server is too busy to say.
    pub(crate) async fn verify(
        &self,
        stored: Option<PasswordHash>,
        password: Zeroizing<Vec<u8>>,
    ) -> Option<(bool, Zeroizing<Vec<u8>>)> {
        self.run(MAX_QUEUE, move || {
            let verified = match stored {
                Some(hash) => hash.verify(&password),
                None => {
                    // Whatever it says: nobody's password is no password.
                    let _ = dummy().map(|dummy| dummy.verify(&password));
                    false
                }
            };
            (verified, password)
        })
        .await
    }
}

/// See [`Hasher::derive`].
pub(super) struct Derived {
    pub(super) hash: Option<String>,
    pub(super) scram: Option<String>,
}

fn record(password: &[u8]) -> Option<String> {
    Record::of(password).map(|record| record.to_string())
}

/// A hash of nothing anybody knows, made on first use.
fn dummy() -> Option<&'static PasswordHash> {
    static DUMMY: OnceLock<Option<PasswordHash>> = OnceLock::new();
    DUMMY.get_or_init(|| PasswordHash::parse(&hash_password(b"nobody's password").ok()?).ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn an_unknown_address_costs_a_hash_as_well() {
        let hasher = Hasher::default();
        let password = || Zeroizing::new(b"guess".to_vec());
        let started = Instant::now();
        assert_eq!(hasher.verify(None, password()).await.map(|(verified, _)| verified), Some(false));
        let unknown = started.elapsed();
        let known = PasswordHash::parse(&hash_password(b"other").unwrap()).unwrap();
        let started = Instant::now();
        assert_eq!(hasher.verify(Some(known), password()).await.map(|(verified, _)| verified), Some(false));
        let wrong = started.elapsed();
        // The dummy is the same argon2id; the first call also makes it. A tenth is far outside any noise.
        assert!(unknown * 10 > wrong, "{unknown:?} {wrong:?}");
        assert!(dummy().is_some_and(|dummy| !dummy.verify(b"guess")));
    }

    #[tokio::test]
    async fn work_is_done_on_a_few_threads_and_all_of_it() {
        let hasher = Arc::new(Hasher::default());
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs: Vec<_> = (0..40)
            .map(|number| {
                let (hasher, running, most) = (Arc::clone(&hasher), Arc::clone(&running), Arc::clone(&most));
                tokio::spawn(async move {
                    let work = move || {
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(2));
                        running.fetch_sub(1, Ordering::SeqCst);
                        number
                    };
                    hasher.run(MAX_QUEUE, work).await
                })
            })
            .collect();
        for (number, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), Some(number));
        }
        assert!(most.load(Ordering::SeqCst) <= MAX_THREADS);
    }

    #[tokio::test]
    async fn those_who_wait_are_bounded() {
        let hasher = Arc::new(Hasher::default());
        let busy = hasher.occupy().await;
        let mut waiting: Vec<_> = (0..MAX_WAITING)
            .map(|number| {
                let hasher = Arc::clone(&hasher);
                tokio::spawn(async move { hasher.run(MAX_QUEUE, move || number).await })
            })
            .collect();
        while hasher.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        assert_eq!(hasher.run(MAX_QUEUE, || 0).await, None, "one too many is told at once");
        assert!(started.elapsed() < MAX_QUEUE);
        // Who hangs up makes room.
        waiting.pop().unwrap().abort();
        while hasher.waiting.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        drop(busy);
        for (number, work) in waiting.into_iter().enumerate() {
            assert_eq!(work.await.unwrap(), Some(number));
        }
        assert_eq!(hasher.run(MAX_QUEUE, || 1).await, Some(1));
    }

    #[test]
    fn memory_is_given_back_when_nobody_logs_in() {
        let (jobs, work) = start(3, Duration::from_millis(5));
        for round in 0..3 {
            let (done, finished) = channel();
            for _ in 0..9 {
                let done = done.clone();
                jobs.send(Box::new(move || done.send(hash_password(b"password").is_ok()).unwrap())).unwrap();
            }
            assert!(finished.iter().take(9).all(|hashed| hashed), "round {round}");
            let began = Instant::now();
            while work.warm.load(Ordering::SeqCst) > 0 {
                assert!(began.elapsed() < Duration::from_secs(60), "a thread keeps its memory");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    #[tokio::test]
    async fn busy_threads_are_not_waited_for_for_ever() {
        let hasher = Arc::new(Hasher::default());
        let threads = hasher.free.available_permits();
        let (release, released) = channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let blocked: Vec<_> = (0..threads)
            .map(|_| {
                let (hasher, released) = (Arc::clone(&hasher), Arc::clone(&released));
                let wait = move || released.lock().unwrap_or_else(PoisonError::into_inner).recv().is_err();
                tokio::spawn(async move { hasher.run(MAX_QUEUE, wait).await })
            })
            .collect();
        while hasher.free.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(hasher.run(Duration::from_millis(10), || 1).await, None);
        drop(release);
        for job in blocked {
            assert_eq!(job.await.unwrap(), Some(true));
        }
        assert_eq!(hasher.run(MAX_QUEUE, || 1).await, Some(1));
    }
}
