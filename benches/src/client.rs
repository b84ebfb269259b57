//! HTTP clients that cost little: each has one connection that is kept, and one request under way.

use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
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

impl Load {
    /// One request at a time by one client, none yet: everything else is to be said.
    pub fn new(address: SocketAddr, requests: &Requests) -> Self {
        Self {
            address,
            clients: 1,
            seconds: 0.0,
            most: usize::MAX / 2,
            per_second: None,
            stop: Arc::new(AtomicBool::new(false)),
            requests: Arc::clone(requests),
            next: Arc::new(AtomicUsize::new(0)),
        }
    }
}

/// Write a request for something that needs a token.
pub fn write_get(out: &mut Vec<u8>, token: &str, target: fmt::Arguments<'_>) {
    let written =
        write!(out, "GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    written.expect("memory can be written to");
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
    /// Answers per second.
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// The time that this share of the answers took at most, in milliseconds.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        let rank = (self.latencies.len() as f64 * share).ceil() as usize;
        self.latencies.get(rank.max(1) - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Sends requests from as many threads as leave the server half of the cores.
///
/// # Errors
/// When the server cannot be reached, or answers with anything but 200, or there was no time for a request.
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
    ensure!(!total.latencies.is_empty(), "no request was sent: give it more time");
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
    stream: TcpStream,
    (start, deadline): (Instant, Instant),
    (first, end): (usize, usize),
) -> Result<Answers> {
    let mut answers = Answers { seconds: 0.0, latencies: Vec::new(), bytes: 0 };
    let mut stream = BufReader::with_capacity(1 << 17, stream);
    let mut request = Vec::new();
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
            stream.get_mut().write_all(&request).await?;
            read_answer(&mut stream).await
        };
        let exchange = tokio::time::timeout(TIMEOUT, exchange).await;
        answers.bytes += exchange.context("the server did not answer in time")??;
        answers.latencies.push(due.elapsed());
        answers.seconds = start.elapsed().as_secs_f64();
    }
}

/// Reads one answer and drops it; the value is the length of its body.
async fn read_answer(stream: &mut BufReader<TcpStream>) -> Result<usize> {
    let mut line = String::new();
    let status = read_line(stream, &mut line).await?.to_owned();
    let (mut length, mut chunked) = (None, false);
    while let Some((name, value)) = read_line(stream, &mut line).await?.split_once(':') {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse()?);
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked");
    }
    if !status.starts_with("HTTP/1.1 200 ") {
        bail!("the server refused: {status}");
    }
    let mut body = 0;
    if chunked {
        loop {
            let size = usize::from_str_radix(read_line(stream, &mut line).await?, 16)?;
            body += skip(stream, size).await?;
            ensure!(read_line(stream, &mut line).await?.is_empty(), "a chunk is longer than it says");
            if size == 0 {
                break;
            }
        }
    } else {
        body = skip(stream, length.context("an answer without a length")?).await?;
    }
    ensure!(stream.buffer().is_empty(), "more than one answer to one request");
    Ok(body)
}

/// Reads a line; the value is without its end.
async fn read_line<'a>(stream: &mut BufReader<TcpStream>, line: &'a mut String) -> Result<&'a str> {
    line.clear();
    ensure!(stream.read_line(line).await? > 0, "the server closed the connection");
    Ok(line.trim_end())
}

/// Reads and drops this many bytes.
async fn skip(stream: &mut BufReader<TcpStream>, bytes: usize) -> Result<usize> {
    let mut left = bytes;
    while left > 0 {
        let read = stream.fill_buf().await?.len().min(left);
        ensure!(read > 0, "the server closed the connection");
        stream.consume(read);
        left -= read;
    }
    Ok(bytes)
}
