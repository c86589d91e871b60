//! Encoded bodies: whole, truncated, and those that inflate beyond the limit.

use super::*;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

const BYTES_MAX: usize = 1000;
const TOO_LARGE: Refusal = Refusal::BodyTooLarge { bytes_max: BYTES_MAX };

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// The body read from the chunks.
fn received(encoding: Option<&str>, chunks: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let mut inflow = Inflow::new(encoding, BYTES_MAX)?;
    chunks.iter().try_for_each(|chunk| inflow.take(chunk))?;
    inflow.end()
}

#[test]
fn a_body_is_read_in_each_encoding_however_it_is_cut() {
    let said = b"{\"userName\": \"ann\"}".repeat(40);
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(&said).expect("memory takes it");
    let encoded = [
        (None, said.clone()),
        (Some("identity"), said.clone()),
        (Some("GZIP"), gzip(&said)),
        (Some("deflate"), zlib.finish().expect("memory takes it")),
    ];
    for (encoding, bytes) in encoded {
        assert_eq!(received(encoding, &[&bytes]), Ok(said.clone()), "{encoding:?}");
        let pieces: Vec<&[u8]> = bytes.chunks(3).collect();
        assert_eq!(received(encoding, &pieces), Ok(said.clone()), "{encoding:?} in pieces");
    }
}

#[test]
fn a_bomb_is_refused_with_no_more_in_memory_than_may_be() {
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 128 * 1024, "it fits in what is read from a socket at once");
    let mut inflow = Inflow::new(Some("gzip"), BYTES_MAX).expect("an encoding");
    assert_eq!(inflow.take(&bomb).expect_err("it is too large"), TOO_LARGE);
    assert!(inflow.bounded_mut().bytes.capacity() <= BYTES_MAX);
    assert_eq!(received(Some("gzip"), &[&gzip(&[b' '; BYTES_MAX + 1])]), Err(TOO_LARGE));
    assert_eq!(received(Some("gzip"), &[&gzip(&[b' '; BYTES_MAX])]).map(|bytes| bytes.len()), Ok(BYTES_MAX));
    assert_eq!(received(None, &[&[b' '; BYTES_MAX], b" "]), Err(TOO_LARGE));
}

#[actix_web::test]
async fn s3_a_compressed_body_that_holds_nothing_ends_at_the_limit_too() {
    let mut stream = gzip(b"")[..10].to_vec();
    // Stored blocks of no bytes, none of which is the last.
    stream.extend(b"\x00\x00\x00\xff\xff".repeat(BYTES_MAX / 5 + 1));
    let mut chunks = stream.chunks(7).map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter();
    let mut taken = 0;
    let endless = futures_util::stream::poll_fn(move |_| {
        taken += 1;
        assert!(taken < 1000, "it is read beyond the limit");
        let chunk = chunks.next().unwrap_or_else(|| b"\x00\x00\x00\xff\xff".to_vec());
        Poll::Ready(Some(Ok::<_, actix_web::error::PayloadError>(chunk.into())))
    });
    let mut payload: Payload = Payload::Stream { payload: Box::pin(endless) };
    assert_eq!(inflow(&mut payload, Some("gzip"), BYTES_MAX, None).await, Err(TOO_LARGE));
}

#[test]
fn what_is_no_encoding_or_cut_off_is_refused() {
    let whole = gzip(b"{}");
    assert!(matches!(received(Some("gzip"), &[&whole[..whole.len() - 3]]), Err(Refusal::UnreadableBody(_))));
    assert!(matches!(received(Some("gzip"), &[b"{}"]), Err(Refusal::UnreadableBody(_))));
    assert_eq!(received(Some("br"), &[b"{}"]), Err(Refusal::UnknownEncoding));
    assert_eq!(received(Some("gzip, gzip"), &[&whole]), Err(Refusal::UnknownEncoding));
}
