//! Metrics and traces of a program go to its collector.

use std::error::Error;
use std::time::Duration;

use pool_monitor::otlp::{OtlpOptions, Telemetry};

fn main() -> Result<(), Box<dyn Error>> {
    let options = OtlpOptions { service_name: Some("orders".to_owned()), ..Default::default() };
    let telemetry = Telemetry::start(&options)?;
    telemetry.install_global();

    // Now pools are opened, and the program does its work.

    let delivery = telemetry.shutdown(Duration::from_secs(5));
    if !delivery.is_complete() {
        eprintln!("not all telemetry has arrived: {delivery:?}");
    }
    Ok(())
}
