//! Packets over a socket: read into one large buffer, handed out as slices of it.
//!
//! ```text
//! buffer  [consumed | 3-byte length, sequence, payload | 3-byte length, seq… | free ]
//!                   ^ start                                            end ^
//! ```
//!
//! A payload of 16 MiB − 1 says that the next packet continues it; such chains are put together in a buffer of
//! their own, which is the only copy made.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{WireError, WireResult};

const HEADER: usize = 4;
const MAX_PAYLOAD: usize = 0xff_ff_ff;
const INITIAL_BUFFER: usize = 256 * 1024;

/// The transport below the packets.
pub(super) enum Socket {
    /// Clear text.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A socket that speaks packets.
pub(super) struct PacketStream {
    socket: Socket,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    chained: Vec<u8>,
    sequence: u8,
    outgoing: Vec<u8>,
    read_timeout: Option<Duration>,
}

/// Where a complete packet lies.
enum Found {
    Buffered(std::ops::Range<usize>),
    Chained,
}

impl PacketStream {
    pub(super) fn new(socket: Socket, read_timeout: Option<Duration>) -> Self {
        Self {
            socket,
            buffer: vec![0; INITIAL_BUFFER],
            start: 0,
            end: 0,
            chained: Vec::new(),
            sequence: 0,
            outgoing: Vec::new(),
            read_timeout,
        }
    }

    /// Gives the socket back, to put TLS over it. Nothing may be buffered.
    pub(super) fn into_socket(self) -> WireResult<(Socket, u8)> {
        if self.start != self.end {
            return Err(WireError::protocol("bytes in front of the TLS handshake"));
        }
        Ok((self.socket, self.sequence))
    }

    pub(super) fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    /// How long [`fill`](Self::fill) waits for bytes; `None` waits for ever.
    pub(super) fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    /// The next packet if all of it has arrived.
    #[inline]
    pub(super) fn buffered(&mut self) -> WireResult<Option<&[u8]>> {
        match self.find()? {
            None => Ok(None),
            Some(Found::Buffered(range)) => Ok(Some(&self.buffer[range])),
            Some(Found::Chained) => Ok(Some(&self.chained)),
        }
    }

    /// Waits for the next packet.
    pub(super) async fn next(&mut self) -> WireResult<&[u8]> {
        loop {
            match self.find()? {
                Some(Found::Buffered(range)) => return Ok(&self.buffer[range]),
                Some(Found::Chained) => return Ok(&self.chained),
                None => self.fill().await?,
            }
        }
    }

    #[inline]
    fn find(&mut self) -> WireResult<Option<Found>> {
        let Some(header) = self.buffer.get(self.start..self.end).and_then(|unread| unread.first_chunk::<HEADER>())
        else {
            return Ok(None);
        };
        let length = payload_length(header);
        if length == MAX_PAYLOAD {
            return self.find_chain();
        }
        let payload = self.start + HEADER;
        if payload + length > self.end {
            return Ok(None);
        }
        self.sequence = header[3].wrapping_add(1);
        self.start = payload + length;
        Ok(Some(Found::Buffered(payload..payload + length)))
    }

    /// A payload that goes over several packets, once the last of them has arrived.
    fn find_chain(&mut self) -> WireResult<Option<Found>> {
        let mut at = self.start;
        let mut parts = Vec::new();
        loop {
            let Some(header) = self.buffer.get(at..self.end).and_then(|unread| unread.first_chunk::<HEADER>()) else {
                return Ok(None);
            };
            let length = payload_length(header);
            let payload = at + HEADER;
            if payload + length > self.end {
                return Ok(None);
            }
            self.sequence = header[3].wrapping_add(1);
            parts.push(payload..payload + length);
            at = payload + length;
            if length < MAX_PAYLOAD {
                break;
            }
        }
        self.chained.clear();
        for part in parts {
            self.chained.extend_from_slice(&self.buffer[part]);
        }
        self.start = at;
        Ok(Some(Found::Chained))
    }

    /// Waits until more bytes have arrived. Cancel-safe.
    pub(super) async fn fill(&mut self) -> WireResult<()> {
        self.make_room();
        let space = &mut self.buffer[self.end..];
        let read = async {
            match &mut self.socket {
                Socket::Plain(socket) => socket.read(space).await,
                Socket::Tls(socket) => socket.read(space).await,
            }
        };
        let count = match self.read_timeout {
            None => read.await?,
            Some(limit) => tokio::time::timeout(limit, read).await.map_err(|_| WireError::TimedOut(limit))??,
        };
        if count == 0 {
            return Err(WireError::Closed);
        }
        self.end += count;
        Ok(())
    }

    /// Moves unread bytes to the front, and grows the buffer when one packet needs more.
    fn make_room(&mut self) {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            // A buffer that one large packet made large is given back.
            if self.buffer.len() > 8 * INITIAL_BUFFER {
                self.buffer = vec![0; INITIAL_BUFFER];
                self.chained = Vec::new();
            }
        } else if self.buffer.len() - self.end < self.buffer.len() / 4 && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    /// Starts a command: the next packet is the first of a new exchange.
    pub(super) async fn send_command(&mut self, command: u8, body: &[u8]) -> WireResult<()> {
        self.sequence = 0;
        let mut payload = std::mem::take(&mut self.outgoing);
        payload.clear();
        payload.push(command);
        payload.extend_from_slice(body);
        let sent = self.send(&payload).await;
        self.outgoing = payload;
        sent
    }

    /// Sends one payload as the next packet, or packets, of the exchange.
    pub(super) async fn send(&mut self, payload: &[u8]) -> WireResult<()> {
        let mut bytes = Vec::with_capacity(payload.len() + HEADER);
        let mut rest = payload;
        loop {
            let (part, tail) = rest.split_at(rest.len().min(MAX_PAYLOAD));
            let length = u32::try_from(part.len()).unwrap_or(0).to_le_bytes();
            bytes.extend_from_slice(&[length[0], length[1], length[2], self.sequence]);
            bytes.extend_from_slice(part);
            self.sequence = self.sequence.wrapping_add(1);
            rest = tail;
            if part.len() < MAX_PAYLOAD {
                break;
            }
        }
        match &mut self.socket {
            Socket::Plain(socket) => write_all(socket, &bytes).await,
            Socket::Tls(socket) => write_all(socket.as_mut(), &bytes).await,
        }
    }
}

async fn write_all(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> WireResult<()> {
    socket.write_all(bytes).await?;
    socket.flush().await?;
    Ok(())
}

#[inline]
fn payload_length(header: &[u8; HEADER]) -> usize {
    usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (PacketStream, PacketStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (PacketStream::new(Socket::Plain(client), None), PacketStream::new(Socket::Plain(server), None))
    }

    #[tokio::test]
    async fn packets_of_every_size_arrive_whole() {
        let (mut client, mut server) = pair().await;
        let sizes = [0, 1, 250_000, 300_000, MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 7];
        let sender = tokio::spawn(async move {
            for (index, size) in sizes.into_iter().enumerate() {
                client.send(&vec![index as u8; size]).await.unwrap();
            }
            client
        });
        for (index, size) in sizes.into_iter().enumerate() {
            let packet = server.next().await.unwrap();
            assert_eq!(packet.len(), size);
            assert!(packet.iter().all(|byte| *byte == index as u8));
        }
        drop(sender.await.unwrap());
        assert!(matches!(server.next().await, Err(WireError::Closed)));
    }

    #[tokio::test]
    async fn only_whole_packets_count_as_buffered() {
        let (mut client, mut server) = pair().await;
        client.send(b"one").await.unwrap();
        client.send(b"two").await.unwrap();
        assert_eq!(server.next().await.unwrap(), b"one");
        while server.buffered().unwrap().is_none() {
            server.fill().await.unwrap();
        }
        assert!(server.buffered().unwrap().is_none());
    }

    #[tokio::test]
    async fn silence_is_noticed() {
        let (_client, mut server) = pair().await;
        server.set_read_timeout(Some(Duration::from_millis(20)));
        assert!(matches!(server.next().await, Err(WireError::TimedOut(_))));
    }
}
