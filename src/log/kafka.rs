//! STUB
#![allow(missing_docs, unused_variables)]
use super::*;
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub brokers: String,
    pub record_bytes: usize,
}
#[derive(Debug, Clone)]
pub struct KafkaLog;
impl KafkaLog {
    pub fn new(c: Config) -> Self {
        Self
    }
    pub fn ensure_topic(&self, t: &str, p: i32) -> Result<(), LogError> {
        Ok(())
    }
    pub fn sink(&self, topic: &str) -> Result<crate::pipeline::sim::MemoryLog, LogError> {
        Ok(crate::pipeline::sim::MemoryLog::new(topic, 1, 0))
    }
    pub fn source(&self, topic: &str) -> Result<crate::pipeline::sim::MemorySource, LogError> {
        Ok(crate::pipeline::sim::MemoryLog::new(topic, 1, 0).source())
    }
}
