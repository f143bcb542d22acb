//! The peer of `python -m bench rules`: rsigma-eval over files of events.
//!
//! `peer RULES [PIPELINE]`, then on standard input the path of one NDJSON file a line; for each, one line of figures.

use rsigma_eval::{Engine, JsonEvent, LogSourceExtractor, parse_pipeline_file};
use std::io::{BufRead, Write};
use std::path::Path;

fn cpu_s() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let collection = rsigma_parser::parse_sigma_directory(Path::new(&args[1])).expect("rules");
    let mut engine = Engine::new();
    engine.set_logsource_extractor(Some(LogSourceExtractor::new()));
    if let Some(pipeline) = args.get(2) {
        engine.add_pipeline(parse_pipeline_file(Path::new(pipeline)).expect("a pipeline"));
    }
    engine.add_collection(&collection).expect("rules that compile");
    for path in std::io::stdin().lock().lines() {
        let text = std::fs::read(path.expect("a line")).expect("events");
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let began = cpu_s();
        let mut hits: Vec<(usize, String)> = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
            for result in engine.evaluate(&JsonEvent::borrow(&value)) {
                hits.push((number, result.header.rule_id.clone().unwrap_or_default()));
            }
        }
        let seconds = cpu_s() - began;
        println!("{{\"hits\":{},\"cpu_s\":{seconds:.6}}}", hits.len());
        std::io::stdout().flush().expect("a pipe");
    }
}
