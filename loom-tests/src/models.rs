// Included once per variant of the ring, as the body of a module beside it.

use loom::sync::Arc;
use loom::thread;

use ring::claim::Claim;
use ring::consumer::Consumer;
use ring::slab::{Slab, Span};
use ring::slot::{Body, SPAN_SHIFT};
use ring::{Drops, LaneId, Layout, Refused, Ring};

/// A level that may use the whole ring; at capacities this small, there is no reserve.
const LEVEL: usize = 0;

fn ring(lanes: usize, capacity: usize) -> Arc<Ring> {
    let layout = Layout {
        lanes,
        lane_capacity: capacity,
        shared_capacity: capacity,
    };
    Arc::new(Ring::new(Slab::new(layout.slots()), layout))
}

/// A record of one slot that says `value` in two of its words.
fn say(value: u64) -> impl FnOnce(&mut Span) {
    move |span| {
        span.fill(0, |body| unsafe {
            (*body)[0] = value;
            (*body)[1] = 1 << SPAN_SHIFT;
            (*body)[6] = value;
        });
    }
}

/// Fills the slot that was claimed, in one go or in two steps, as the two kinds of statements do.
fn fill(claim: Claim, value: u64) {
    let second = 1 << SPAN_SHIFT;
    if value % 2 == 0 {
        let write = |body: &mut Body| {
            body[1] = second;
            body[6] = value;
        };
        unsafe { claim.publish_with(value, write) };
    } else {
        let begun = claim.begin(|body| {
            body[0] = value;
            body[1] = second;
            16
        });
        unsafe { begun.publish(|at| at.cast::<u64>().add(4).write(value)) };
    }
}

/// As a statement does: at once, or by the way that finds out why not.
fn write(ring: &Ring, lane: &LaneId, value: u64) -> Result<(), Refused> {
    match unsafe { ring.claim(ring.lane(lane), false, true) } {
        Ok(claim) => {
            fill(claim, value);
            Ok(())
        }
        Err(_) => write_whole(ring, lane, value),
    }
}

/// By the way of records that are longer than a slot.
fn write_whole(ring: &Ring, lane: &LaneId, value: u64) -> Result<(), Refused> {
    unsafe { ring.write(ring.lane(lane), 1, LEVEL, say(value)) }
}

/// As a statement does on a thread without a lane.
fn write_shared(ring: &Ring, value: u64) -> Result<(), Refused> {
    fill(ring.claim_shared(LEVEL)?, value);
    Ok(())
}

/// The next record's value, its space not yet returned.
fn read(consumer: &mut Consumer, source: usize) -> Option<u64> {
    let mut out = [Body::default(); 4];
    if consumer.take(source, &mut out, 1, |_| true) == 0 {
        return None;
    }
    assert_eq!(out[0][0], out[0][6], "a record is torn");
    Some(out[0][0])
}

/// All records that are published, their space returned.
fn drain(consumer: &mut Consumer, source: usize, into: &mut Vec<u64>) {
    while let Some(value) = read(consumer, source) {
        into.push(value);
    }
    consumer.give_back(source);
}

pub fn what_is_published_is_read_whole() {
    loom::model(|| {
        let ring = ring(1, 2);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let lane = ring.acquire_lane().unwrap();
        let producer = thread::spawn({
            let ring = ring.clone();
            move || {
                write(&ring, &lane, 1).unwrap();
                write_whole(&ring, &lane, 2).unwrap();
            }
        });
        let mut seen = Vec::new();
        drain(&mut consumer, 0, &mut seen);
        producer.join().unwrap();
        drain(&mut consumer, 0, &mut seen);
        assert_eq!(seen, [1, 2]);
    });
}

pub fn a_record_of_two_slots_is_read_whole() {
    loom::model(|| {
        let ring = ring(1, 2);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let lane = ring.acquire_lane().unwrap();
        let producer = thread::spawn({
            let ring = ring.clone();
            move || unsafe {
                ring.write(ring.lane(&lane), 2, LEVEL, |span| {
                    span.fill(0, |body| {
                        (*body)[0] = 7;
                        (*body)[1] = 2 << SPAN_SHIFT;
                    });
                    span.fill(1, |body| (*body)[0] = 8);
                })
                .unwrap();
            }
        });
        let mut out = [Body::default(); 2];
        let early = consumer.take(0, &mut out, 1, |_| true);
        producer.join().unwrap();
        if early == 0 {
            assert_eq!(consumer.take(0, &mut out, 1, |_| true), 2);
        }
        assert_eq!((out[0][0], out[1][0]), (7, 8));
    });
}

pub fn a_lane_wraps_without_overwriting_what_is_unread() {
    loom::model(|| {
        let ring = ring(1, 1);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let lane = ring.acquire_lane().unwrap();
        let producer = thread::spawn({
            let ring = ring.clone();
            move || {
                let mut accepted = Vec::new();
                for value in 1..=3 {
                    if write(&ring, &lane, value).is_ok() {
                        accepted.push(value);
                    }
                }
                accepted
            }
        });
        let mut seen = Vec::new();
        for _ in 0..2 {
            drain(&mut consumer, 0, &mut seen);
        }
        let accepted = producer.join().unwrap();
        drain(&mut consumer, 0, &mut seen);
        assert_eq!(seen, accepted);
    });
}

pub fn a_full_lane_refuses_and_tells() {
    loom::model(|| {
        let ring = ring(1, 2);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let lane = ring.acquire_lane().unwrap();
        let producer = thread::spawn({
            let ring = ring.clone();
            move || {
                let (mut accepted, mut dropped, mut told) = (0_u64, 0, 0);
                for value in 1..=4 {
                    let mut outcome = write(&ring, &lane, value);
                    if outcome == Err(Refused::Gap) {
                        let fill = |span: &mut Span, drops: &Drops| {
                            told += drops.by_level[LEVEL];
                            say(100)(span);
                        };
                        unsafe { ring.write_gap(ring.lane(&lane), fill) }.unwrap();
                        outcome = write(&ring, &lane, value);
                    }
                    match outcome {
                        Ok(()) => accepted += 1,
                        Err(Refused::Full) => {
                            unsafe { ring.count_drop(ring.lane(&lane), LEVEL, 0) }.unwrap();
                            dropped += 1;
                        }
                        other => panic!("{other:?}"),
                    }
                }
                ring.let_go(lane);
                (accepted, dropped, told)
            }
        });
        let mut seen = Vec::new();
        drain(&mut consumer, 0, &mut seen);
        let (accepted, dropped, told) = producer.join().unwrap();
        drain(&mut consumer, 0, &mut seen);
        let records: Vec<_> = seen.iter().filter(|&&value| value != 100).collect();
        assert!(records.is_sorted());
        assert_eq!(records.len() as u64, accepted);
        assert_eq!(ring.accepted(), accepted);
        assert_eq!(ring.dropped().by_level[LEVEL], dropped);
        let untold = consumer.reap(0).expect("all was read").by_level[LEVEL];
        assert_eq!(told + untold, dropped);
    });
}

pub fn two_producers_share_a_ring() {
    loom::model(|| {
        let ring = ring(0, 2);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let producers: Vec<_> = (1..=2)
            .map(|value| {
                let ring = ring.clone();
                thread::spawn(move || write_shared(&ring, value).unwrap())
            })
            .collect();
        let mut seen = Vec::new();
        drain(&mut consumer, 0, &mut seen);
        for producer in producers {
            producer.join().unwrap();
        }
        drain(&mut consumer, 0, &mut seen);
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
    });
}

pub fn a_head_that_another_producer_fetched_still_orders_reuse() {
    loom::model(|| {
        let ring = ring(0, 2);
        let mut consumer = Ring::consumer(&ring).unwrap();
        write_shared(&ring, 1).unwrap();
        write_shared(&ring, 2).unwrap();
        let producers: Vec<_> = (3..=4)
            .map(|value| {
                let ring = ring.clone();
                thread::spawn(move || write_shared(&ring, value).is_ok())
            })
            .collect();
        let mut seen = Vec::new();
        drain(&mut consumer, 0, &mut seen);
        let accepted: usize = producers
            .into_iter()
            .map(|producer| usize::from(producer.join().unwrap()))
            .sum();
        drain(&mut consumer, 0, &mut seen);
        assert_eq!(seen.len(), 2 + accepted);
        assert_eq!(seen[..2], [1, 2]);
    });
}

pub fn a_drop_in_the_shared_ring_is_told_once() {
    loom::model(|| {
        let ring = ring(0, 4);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let dropper = thread::spawn({
            let ring = ring.clone();
            move || {
                ring.count_shared_drop(LEVEL, 0).unwrap();
                ring.count_shared_drop(LEVEL, 0).unwrap();
            }
        });
        let tell = |ring: &Ring| {
            let mut told = 0;
            if write_shared(ring, 1) == Err(Refused::Gap) {
                let fill = |span: &mut Span, drops: &Drops| {
                    told = drops.by_level[LEVEL];
                    say(100)(span);
                };
                unsafe { ring.write_shared_gap(fill) }.unwrap();
            }
            told
        };
        let during = tell(&ring);
        dropper.join().unwrap();
        let after = tell(&ring);
        assert_eq!(during + after, 2);
        assert_eq!(consumer.untold_drops(0).by_level[LEVEL], 0);
    });
}

pub fn a_lane_goes_from_one_owner_to_the_next() {
    loom::model(|| {
        let ring = ring(1, 2);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let lane = ring.acquire_lane().unwrap();
        let first = thread::spawn({
            let ring = ring.clone();
            move || {
                write(&ring, &lane, 1).unwrap();
                unsafe { ring.count_drop(ring.lane(&lane), LEVEL, 0) }.unwrap();
                ring.let_go(lane);
            }
        });
        let second = thread::spawn({
            let ring = ring.clone();
            move || match ring.acquire_lane() {
                Some(lane) => {
                    write(&ring, &lane, 2).unwrap();
                    true
                }
                None => false,
            }
        });
        let (mut seen, mut told) = (Vec::new(), 0);
        let mut round = |consumer: &mut Consumer| {
            consumer.refresh_active();
            // The last active source is the shared ring.
            if consumer.active().len() == 2 {
                drain(consumer, 0, &mut seen);
            }
            told += consumer.reap(0).map_or(0, |untold| untold.by_level[LEVEL]);
        };
        round(&mut consumer);
        first.join().unwrap();
        let took_over = second.join().unwrap();
        round(&mut consumer);
        round(&mut consumer);
        let expected: &[u64] = if took_over { &[1, 2] } else { &[1] };
        assert_eq!(seen, expected);
        assert_eq!(told, 1);
    });
}

/// A lane that two values are written to, one after the other, while it is closed.
fn close_a_lane(write: fn(&Ring, &LaneId, u64) -> Result<(), Refused>) {
    loom::model(move || {
        let ring = ring(1, 2);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let lane = ring.acquire_lane().unwrap();
        let producer = thread::spawn({
            let ring = ring.clone();
            move || {
                let mut accepted = 0;
                for value in 1..=2 {
                    match write(&ring, &lane, value) {
                        Ok(()) => accepted += 1,
                        Err(refused) => assert_eq!(refused, Refused::Closed),
                    }
                }
                accepted
            }
        });
        assert!(ring.gate().close());
        ring.seal();
        let mut seen = Vec::new();
        while ring.frontier(0) != Some(consumer.position(0)) {
            drain(&mut consumer, 0, &mut seen);
            thread::yield_now();
        }
        assert!(ring.gate().drained());
        assert_eq!(seen.len(), producer.join().unwrap());
        assert_eq!(ring.accepted(), seen.len() as u64);
        assert_eq!(ring.undecided(), 0);
    });
}

pub fn closing_a_lane_drains_exactly_what_was_accepted() {
    close_a_lane(|ring, lane, value| match unsafe { ring.claim(ring.lane(lane), false, true) } {
        Ok(claim) => {
            fill(claim, value);
            Ok(())
        }
        Err(_) => Err(Refused::Closed),
    });
}

pub fn closing_a_lane_waits_for_what_takes_several_steps() {
    close_a_lane(write_whole);
}

pub fn closing_the_shared_ring_drains_exactly_what_was_accepted() {
    loom::model(|| {
        let ring = ring(0, 2);
        let mut consumer = Ring::consumer(&ring).unwrap();
        let producer = thread::spawn({
            let ring = ring.clone();
            move || {
                let mut accepted = 0;
                for value in 1..=2 {
                    match write_shared(&ring, value) {
                        Ok(()) => accepted += 1,
                        Err(refused) => assert_eq!(refused, Refused::Closed),
                    }
                }
                accepted
            }
        });
        assert!(ring.gate().close());
        ring.seal();
        let frontier = ring.frontier(0).unwrap();
        let mut seen = Vec::new();
        while consumer.position(0) < frontier {
            drain(&mut consumer, 0, &mut seen);
            thread::yield_now();
        }
        assert!(ring.gate().drained());
        assert_eq!(seen.len(), producer.join().unwrap());
    });
}
