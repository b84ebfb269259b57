//! HTTP clients that cost little: each has one connection that is kept, and one request under way.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer that takes longer is an error.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Writes the n-th request.
pub type Requests = Arc<dyn Fn(usize, &mut Vec<u8>) + Send + Sync>;

/// What to send, and when to stop.
#[derive(Clone)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// Number of connections.
    pub clients: usize,
    /// No requests are begun after this time.
    pub seconds: f64,
    /// Most requests.
    pub most: usize,
    /// Requests that fall due per second, whether or not the ones before are answered; a late one is
    /// late, its time counts from when it was due. Without, each client sends when it has its answer.
    pub per_second: Option<f64>,
    /// No requests are begun after this is set.
    pub stop: Arc<AtomicBool>,
    /// The requests.
    pub requests: Requests,
    /// Number of the next request; goes on where the last load stopped.
    pub next: Arc<AtomicUsize>,
}

/// What came back.
#[derive(Debug)]
pub struct Answers {
    /// Time from the first request to the last answer in seconds.
    pub seconds: f64,
    /// Time to each whole answer, ascending.
    pub latencies: Vec<Duration>,
    /// Bytes of all bodies.
    pub bytes: usize,
}

impl Answers {
    /// The time that this share of the answers took at most, in milliseconds.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        let rank = (self.latencies.len() as f64 * share).ceil() as usize;
        self.latencies.get(rank.max(1) - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Sends requests from as many threads as leave the server half of the cores.
///
/// # Errors
/// When the server cannot be reached, or answers with anything but 200.
pub fn send(load: &Load) -> Result<Answers> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores / 2).clamp(1, load.clients.max(1));
    let mut connections: Vec<Vec<std::net::TcpStream>> = (0..threads).map(|_| Vec::new()).collect();
    for client in 0..load.clients {
        let stream = std::net::TcpStream::connect(load.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        connections[client % threads].push(stream);
    }
    let first = load.next.load(Ordering::Relaxed);
    let end = first + load.most;
    let start = Instant::now();
    let deadline = start + Duration::from_secs_f64(load.seconds);
    let done: Vec<Result<Vec<Answers>>> = std::thread::scope(|scope| {
        let running: Vec<_> = connections
            .into_iter()
            .map(|streams| scope.spawn(move || run_clients(load, streams, (start, deadline), (first, end))))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a client panicked"))))
            .collect()
    });
    let mut total = Answers { seconds: 0.0, latencies: Vec::new(), bytes: 0 };
    for answers in done {
        for answers in answers? {
            total.seconds = total.seconds.max(answers.seconds);
            total.latencies.extend(answers.latencies);
            total.bytes += answers.bytes;
        }
    }
    // Numbers that were drawn but not used.
    load.next.store(first + total.latencies.len(), Ordering::Relaxed);
    total.latencies.sort_unstable();
    Ok(total)
}

fn run_clients(
    load: &Load,
    streams: Vec<std::net::TcpStream>,
    times: (Instant, Instant),
    numbers: (usize, usize),
) -> Result<Vec<Answers>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut running = Vec::new();
        for stream in streams {
            let client = run_client(load.clone(), TcpStream::from_std(stream)?, times, numbers);
            running.push(tokio::spawn(client));
        }
        let mut answers = Vec::new();
        for client in running {
            answers.push(client.await??);
        }
        Ok(answers)
    })
}

async fn run_client(
    load: Load,
    mut stream: TcpStream,
    (start, deadline): (Instant, Instant),
    (first, end): (usize, usize),
) -> Result<Answers> {
    let mut answers = Answers { seconds: 0.0, latencies: Vec::new(), bytes: 0 };
    let (mut request, mut answer) = (Vec::new(), Vec::with_capacity(1 << 17));
    let over = || Instant::now() >= deadline || load.stop.load(Ordering::Relaxed);
    loop {
        if over() {
            return Ok(answers);
        }
        let number = load.next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return Ok(answers);
        }
        request.clear();
        (load.requests)(number, &mut request);
        let mut due = Instant::now();
        if let Some(per_second) = load.per_second {
            due = start + Duration::from_secs_f64((number - first) as f64 / per_second);
            tokio::time::sleep_until(due.into()).await;
            if over() {
                return Ok(answers);
            }
        }
        let exchange = async {
            stream.write_all(&request).await?;
            read_answer(&mut stream, &mut answer).await
        };
        let exchange = tokio::time::timeout(TIMEOUT, exchange).await;
        answers.bytes += exchange.context("the server did not answer in time")??;
        answers.latencies.push(due.elapsed());
        answers.seconds = start.elapsed().as_secs_f64();
    }
}

/// Reads one answer; the value is the length of its body.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<usize> {
    answer.clear();
    let mut body = None;
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        if body.is_none()
            && let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n")
        {
            body = Some((end + 4, content_length(&answer[..end])?));
        }
        if let Some((start, length)) = body
            && answer.len() >= start + length
        {
            ensure!(answer.len() == start + length, "more than one answer to one request");
            if !answer.starts_with(b"HTTP/1.1 200 ") {
                bail!("the server refused: {}", String::from_utf8_lossy(answer));
            }
            return Ok(length);
        }
    }
}

fn content_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value.trim())
    });
    Ok(length.with_context(|| format!("no content-length in {head}"))?.parse()?)
}
