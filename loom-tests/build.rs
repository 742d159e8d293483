//! Writes the ring's source, as it is and once per mutation, into one file for the models.
//!
//! A mutation takes one protection out of the real source. The models that run against it must
//! fail, which shows that they look where the protection matters, and that it is needed. A
//! mutation whose text is no longer found stops the build.

use std::fs;
use std::path::{Path, PathBuf};

/// Takes the text `from`, which occurs once in `file`, and puts `to` in its place.
struct Mutation {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "without_release_on_publish",
        file: "slot.rs",
        from: "self.stamp.store(ticket + 1, Ordering::Release);",
        to: "self.stamp.store(ticket + 1, Ordering::Relaxed);",
    },
    Mutation {
        name: "without_acquire_on_read",
        file: "slot.rs",
        from: "self.stamp.load(Ordering::Acquire) == ticket.wrapping_add(1)",
        to: "self.stamp.load(Ordering::Relaxed) == ticket.wrapping_add(1)",
    },
    Mutation {
        name: "with_a_stamp_that_forgets_the_lap",
        file: "slot.rs",
        from: "self.stamp.load(Ordering::Acquire) == ticket.wrapping_add(1)",
        to: "self.stamp.load(Ordering::Acquire) != 0",
    },
    Mutation {
        name: "with_the_first_slot_published_first",
        file: "slab.rs",
        from: "        for index in 1..self.slots {",
        to: "        unsafe { self.track.slot(self.ticket) }.publish(self.ticket);\n        loom::thread::yield_now();\n        unsafe { self.track.slot(self.ticket + self.slots - 1).fill(|body| (*body)[0] += 0) };\n        for index in 1..self.slots {",
    },
    Mutation {
        name: "without_release_on_give_back",
        file: "lane.rs",
        from: "self.head.store(ticket, Ordering::Release);",
        to: "self.head.store(ticket, Ordering::Relaxed);",
    },
    Mutation {
        name: "without_a_look_at_the_room",
        file: "lane.rs",
        from: "end <= self.owner.limits[usize::from(detail)].load(Ordering::Relaxed)",
        to: "true || end == u64::from(detail)",
    },
    Mutation {
        name: "without_release_on_shared_give_back",
        file: "shared.rs",
        from: "self.head.store(ticket, Ordering::Release);",
        to: "self.head.store(ticket, Ordering::Relaxed);",
    },
    Mutation {
        name: "without_release_on_the_cached_head",
        file: "shared.rs",
        from: "self.cached_head.store(head, Ordering::Release);",
        to: "self.cached_head.store(head, Ordering::Relaxed);",
    },
    Mutation {
        name: "with_a_claim_that_is_not_atomic",
        file: "shared.rs",
        from: "            match self.tail.compare_exchange_weak(
                tail,
                tail + slots,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(ticket) => return Ok(ticket),
                Err(newer) => tail = newer,
            }",
        to: "            self.tail.store(tail + slots, Ordering::Relaxed);
            if tail != u64::MAX {
                return Ok(tail);
            }
            tail = 0;",
    },
    Mutation {
        name: "without_the_sealed_bit",
        file: "shared.rs",
        from: "self.tail.fetch_or(SEALED, Ordering::AcqRel);",
        to: "let _ = SEALED;",
    },
    Mutation {
        name: "without_the_light_barrier",
        file: "lane.rs",
        from: "light_barrier(must_fence);",
        to: "let _ = (light_barrier, must_fence);",
    },
    Mutation {
        name: "without_the_heavy_barrier",
        file: "mod.rs",
        from: "        heavy_barrier();",
        to: "        let _ = heavy_barrier;",
    },
    Mutation {
        name: "without_a_look_at_the_gate",
        file: "lane.rs",
        from: "    gate.is_open()\n",
        to: "    gate.is_open() || true\n",
    },
    Mutation {
        name: "with_a_drain_that_ignores_busy",
        file: "lane.rs",
        from: "(!self.is_busy()).then(|| self.position())",
        to: "Some(self.position())",
    },
    Mutation {
        name: "with_a_claim_that_is_not_taken_back",
        file: "lane.rs",
        from: "            if self.take_back(ticket, 1) {
                return None;
            }",
        to: "            return None;",
    },
    Mutation {
        name: "with_a_claim_after_the_look_at_the_gate",
        file: "lane.rs",
        from: "        let (expected, end) = self.advance(1);
        if end != expected {
            cold();
            return Err(Unclaimed { expected });
        }
        // SAFETY: by contract.
        let claim = unsafe { self.hold(end - 1, gate, detail, must_fence) };",
        to: "        let claim = unsafe { self.hold(self.position(), gate, detail, must_fence) };
        self.advance(1);",
    },
    Mutation {
        name: "without_release_on_letting_go",
        file: "lane.rs",
        from: "self.state.store(DRAINING, Ordering::Release);",
        to: "self.state.store(DRAINING, Ordering::Relaxed);",
    },
    Mutation {
        name: "with_a_lane_freed_before_it_is_read",
        file: "consumer.rs",
        from: "if !lane.is_draining() || lane.position() != cursor.returned {",
        to: "if !lane.is_draining() || cursor.returned > lane.position() {",
    },
    Mutation {
        name: "with_the_active_bit_cleared_after_the_lane_is_free",
        file: "consumer.rs",
        from: "        self.ring.active[source / 64].fetch_and(!(1 << (source % 64)), Ordering::AcqRel);
        lane.free();",
        to: "        lane.free();
        self.ring.active[source / 64].fetch_and(!(1 << (source % 64)), Ordering::AcqRel);",
    },
    Mutation {
        name: "with_a_gap_flag_cleared_after_the_counts",
        file: "shared.rs",
        from: "        self.drops.any_untold.swap(false, Ordering::AcqRel);
        let drops = Drops {
            by_level: std::array::from_fn(|level| {
                self.drops.untold[level].swap(0, Ordering::Relaxed)
            }),
            since: self.drops.since.swap(0, Ordering::Relaxed),
        };",
        to: "        let drops = Drops {
            by_level: std::array::from_fn(|level| {
                self.drops.untold[level].swap(0, Ordering::Relaxed)
            }),
            since: self.drops.since.swap(0, Ordering::Relaxed),
        };
        self.drops.any_untold.swap(false, Ordering::AcqRel);",
    },
];

fn main() {
    let ring = Path::new("../src/ring");
    let models = Path::new("src/models.rs");
    println!("cargo::rerun-if-changed={}", ring.display());
    println!("cargo::rerun-if-changed={}", models.display());
    println!("cargo::rerun-if-changed=build.rs");
    let models = fs::read_to_string(models).expect("src/models.rs can be read");
    let mut out = variant(ring, &models, "real", None);
    for mutation in MUTATIONS {
        out += &variant(ring, &models, mutation.name, Some(mutation));
    }
    let target = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(target.join("variants.rs"), out).expect("OUT_DIR can be written");
}

/// One module that holds the ring, mutated or not, and the models over it.
fn variant(ring: &Path, models: &str, name: &str, mutation: Option<&Mutation>) -> String {
    let mut found = mutation.is_none();
    let mut read = |file: &str| {
        let path = ring.join(file);
        let source =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        match mutation {
            Some(mutation) if mutation.file == file => {
                let times = source.matches(mutation.from).count();
                assert_eq!(
                    times, 1,
                    "mutation `{name}`: its text is in {file} {times} times"
                );
                found = true;
                source.replace(mutation.from, mutation.to)
            }
            _ => source,
        }
    };
    let mut body = String::new();
    for line in read("mod.rs").lines() {
        match line
            .strip_prefix("pub(crate) mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            Some(module) => {
                let source = read(&format!("{module}.rs"));
                body += &format!("pub(crate) mod {module} {{\n{source}\n}}\n");
            }
            None => {
                body += line;
                body.push('\n');
            }
        }
    }
    assert!(
        found,
        "mutation `{name}`: there is no file {}",
        mutation.unwrap().file
    );
    format!(
        "#[allow(dead_code, unused)]\npub mod {name} {{\n\
         pub mod ring {{\n{body}\n}}\n\
         pub mod models {{\nuse super::ring;\n{models}\n}}\n}}\n"
    )
}
