//! The signal of a service manager reaches the parts of the process.

use std::process::Command;

use crate::waiting::ends;

#[tokio::test]
async fn sigterm_cancels_the_token() {
    let token = rollcall_runtime::shutdown::on_signal().unwrap();
    assert!(!token.is_cancelled());
    let process = std::process::id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    ends("the token after SIGTERM", token.cancelled()).await;
}
