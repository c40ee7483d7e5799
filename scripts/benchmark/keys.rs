//! A listing of a million keys from a server that has its pages ready, so that the client alone is measured.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use futures_util::TryStreamExt;
use holdfs::s3::ops::ListObjectsV2;
use holdfs::s3::transfer::pages;

use crate::process::own_cpu;
use crate::rig::client_of;

const PAGE_KEYS: u32 = 1000;

/// Lists `count` keys to the last and says how many it took in a second.
pub async fn run(count: u32) -> io::Result<()> {
    let server = Server::start(count)?;
    let client = client_of(server)?;
    let (cpu, start) = (own_cpu(), Instant::now());
    let listed = pages::objects(&client, ListObjectsV2 { bucket: "bench".to_owned(), ..Default::default() });
    let seen = listed.try_fold(0, async |seen, _| Ok(seen + 1)).await.map_err(io::Error::other)?;
    let (took, cpu) = (start.elapsed().as_secs_f64(), own_cpu() - cpu);
    if seen != count {
        return Err(io::Error::other(format!("{seen} of {count} keys were listed")));
    }
    println!(
        "listing of {count} keys: {:.0} keys/s; {:.2} CPU s, the sending of ready pages included",
        f64::from(count) / took,
        cpu.as_secs_f64(),
    );
    Ok(())
}

/// Speaks just enough HTTP.
struct Server {
    pages: Vec<Vec<u8>>,
}

impl Server {
    fn start(count: u32) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let pages = (0..count / PAGE_KEYS).map(|page| answer(page, count / PAGE_KEYS)).collect();
        let server = Arc::new(Self { pages });
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(connection));
            }
        });
        Ok(address)
    }

    fn serve(&self, mut connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut requests = BufReader::new(connection.try_clone()?);
        loop {
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                if requests.read_line(&mut request)? == 0 {
                    return Ok(());
                }
            }
            let page = request.split_once("continuation-token=page").map_or(0, |(_, rest)| {
                rest.bytes()
                    .take_while(u8::is_ascii_digit)
                    .fold(0, |n, digit| n * 10 + usize::from(digit - b'0'))
            });
            connection.write_all(&self.pages[page])?;
        }
    }
}

/// As S3 writes it, with names as they are in a data lake.
fn answer(page: u32, pages: u32) -> Vec<u8> {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>bench</Name><Prefix></Prefix><KeyCount>1000</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>",
    );
    let is_truncated = page + 1 < pages;
    let _ = write!(xml, "<IsTruncated>{is_truncated}</IsTruncated>");
    if is_truncated {
        let _ = write!(xml, "<NextContinuationToken>page{}</NextContinuationToken>", page + 1);
    }
    for number in page * PAGE_KEYS..(page + 1) * PAGE_KEYS {
        let _ = write!(
            xml,
            "<Contents><Key>events/year=2026/month=11/day%3D{:02}/part-{number:08}.parquet</Key>\
             <LastModified>2026-11-{:02}T10:{:02}:{:02}.000Z</LastModified>\
             <ETag>&quot;{number:032x}&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            number % 28 + 1,
            number % 28 + 1,
            number / 60 % 60,
            number % 60,
            number * 7,
        );
    }
    xml.push_str("</ListBucketResult>");
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n", xml.len());
    [head.into_bytes(), xml.into_bytes()].concat()
}
