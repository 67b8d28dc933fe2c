//! Measures memory. With this program comes an allocator that counts, which would be a part of
//! whatever is timed.
#![forbid(unsafe_code)]

use pool_peers::Counted;

fn main() -> anyhow::Result<()> {
    pool_peers::measure_counting(|run| {
        let counted = allocation_counter::measure(run);
        Counted { allocations: counted.count_total, bytes_kept: counted.bytes_current }
    })
}
