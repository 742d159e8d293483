//! Models of ringlog's lock-free core: `cargo test --release` in this folder explores every
//! interleaving and every outcome of the memory model that loom knows.
//!
//! Each model is run against the ring as it is, and must pass; and against the ring with one
//! protection taken out (see `build.rs`), and must fail.

#![cfg(all(test, ringlog_loom))]

include!(concat!(env!("OUT_DIR"), "/variants.rs"));

/// Tests that a model passes, and that its twins fail.
macro_rules! model {
    ($model:ident, twins: $($twin:ident),+ $(,)?) => {
        mod $model {
            #[test]
            fn holds() {
                crate::real::models::$model();
            }

            $(#[test]
            #[should_panic]
            fn $twin() {
                crate::$twin::models::$model();
            })+
        }
    };
}

model!(
    what_is_published_is_read_whole,
    twins: without_release_on_publish, without_acquire_on_read,
);
model!(
    a_record_of_two_slots_is_read_whole,
    twins: with_the_first_slot_published_first, without_release_on_publish,
);
model!(
    a_lane_wraps_without_overwriting_what_is_unread,
    twins: without_release_on_give_back, without_a_look_at_the_room,
        with_a_stamp_that_forgets_the_lap,
);
model!(
    a_full_lane_refuses_and_tells,
    twins: without_a_look_at_the_room,
);
model!(
    two_producers_share_a_ring,
    twins: with_a_claim_that_is_not_atomic, without_release_on_publish,
);
model!(
    a_head_that_another_producer_fetched_still_orders_reuse,
    twins: without_release_on_the_cached_head, without_release_on_shared_give_back,
);
model!(
    a_drop_in_the_shared_ring_is_told_once,
    twins: with_a_gap_flag_cleared_after_the_counts,
);
model!(
    a_lane_goes_from_one_owner_to_the_next,
    twins: without_release_on_letting_go, with_a_lane_freed_before_it_is_read,
        with_the_active_bit_cleared_after_the_lane_is_free,
);
model!(
    closing_a_lane_drains_exactly_what_was_accepted,
    twins: without_the_light_barrier, without_the_heavy_barrier, without_a_look_at_the_gate,
        with_a_claim_that_is_not_taken_back, with_a_claim_after_the_look_at_the_gate,
);
model!(
    closing_a_lane_waits_for_what_takes_several_steps,
    twins: without_the_light_barrier, without_the_heavy_barrier, without_a_look_at_the_gate,
        with_a_drain_that_ignores_busy,
);
model!(
    closing_the_shared_ring_drains_exactly_what_was_accepted,
    twins: without_the_sealed_bit,
);
