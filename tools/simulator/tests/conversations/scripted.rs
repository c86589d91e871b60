//! A few lines of HTTP over a loopback socket that answer by a test's script, one answer at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const SCIM: &str = "application/scim+json";

#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn scim(status: u16, body: &Value) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), SCIM.to_owned())], body: body.to_string() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Clone)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

pub(crate) type Script = dyn Fn(&Heard, usize) -> Reply + Send + Sync;

/// Answers every request by `script`, which also gets the number of requests before; returns the URL and the received
/// requests.
pub(crate) async fn scripted(script: Box<Script>) -> (String, Arc<Mutex<Vec<Heard>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/scim/v2/source?pasted=query", listener.local_addr().expect("bound"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let script: Arc<Script> = Arc::from(script);
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (script, all) = (Arc::clone(&script), Arc::clone(&all));
            tokio::spawn(async move { serve(socket, &*script, &all).await });
        }
    });
    (url, heard)
}

async fn serve(socket: TcpStream, script: &Script, all: &Mutex<Vec<Heard>>) {
    let mut stream = BufReader::new(socket);
    while let Some(request) = read_request(&mut stream).await {
        let reply = {
            let mut all = all.lock().expect("not poisoned");
            let before = all.len();
            let reply = script(&request, before);
            all.push(request);
            reply
        };
        let mut text = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&reply.body);
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Heard { method, target, headers, body })
}

pub(crate) fn list(resources: &[Value]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(), "startIndex": 1, "itemsPerPage": resources.len(), "Resources": resources,
    })
}

pub(crate) fn error(status: u16) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": "no" })
}

/// The posted resource, with an id and a location.
pub(crate) fn created(heard: &Heard) -> Reply {
    let mut body: Value = serde_json::from_str(&heard.body).expect("a JSON body");
    let fields = body.as_object_mut().expect("an object");
    fields.remove("password");
    fields.insert("id".to_owned(), json!("u1"));
    fields.insert("meta".to_owned(), json!({ "resourceType": "User", "location": "http://h/Users/u1" }));
    Reply::scim(201, &body).header("location", "http://h/Users/u1")
}
