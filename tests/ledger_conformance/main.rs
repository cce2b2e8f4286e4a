//! One suite for both ledgers, the real server included, and what only a server can do to us.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod audit;
mod cases;
mod checkpoints;
mod counted;
mod outage;
mod place;
mod races;
mod reading;
mod sample;
#[path = "../support/mod.rs"]
mod support;

/// The same cases against both.
macro_rules! conformance {
    ($($file:ident::$case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$file::$case(&crate::place::Place::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$file::$case(&crate::place::Place::postgres()).await;
            })+
        }
    };
}

conformance!(
    cases::what_is_committed_is_read_back_after_reopening,
    cases::an_intent_is_taken_once_and_the_whole_batch_falls_with_it,
    cases::a_second_row_for_an_order_is_refused_by_name_and_the_order_is_found_by_its_id,
    cases::an_old_order_with_a_trade_that_is_not_settled_is_read_back,
    cases::history_cannot_be_changed,
    cases::a_dead_letter_is_kept_once_and_waits_until_it_is_on_the_bus,
    cases::what_was_done_about_a_letter_is_read_back,
    cases::a_journal_out_of_balance_is_refused_and_the_batch_with_it,
    cases::a_journal_is_booked_once_and_never_with_another_content,
    cases::corrections_are_read_back_and_the_journals_of_fills_are_not,
    cases::a_lease_has_one_holder_and_a_takeover_fences_the_one_before,
    cases::a_lease_that_was_given_up_is_free_at_once,
    cases::of_many_who_ask_at_once_one_gets_the_lease,
    cases::whoever_never_had_the_lease_cannot_write_once_there_was_one,
    races::many_who_commit_at_once_are_all_served_and_the_chain_holds,
    races::whoever_takes_the_lease_while_others_commit_gets_it_and_only_fences_them,
    cases::two_hundred_open_orders_of_ten_thousand_are_read_fast,
    cases::a_batch_of_many_writes_is_one_commit,
    audit::sound_books_are_sound_and_their_head_is_found_again,
    audit::every_change_is_found_and_named,
    audit::a_history_that_was_rewritten_from_some_row_on_does_not_have_the_head_that_was_noted,
    checkpoints::a_start_reads_the_checkpoint_and_what_came_after_it,
    checkpoints::a_token_that_is_held_up_is_read_from_its_own_end_on,
    checkpoints::all_of_a_token_is_told,
    checkpoints::a_checkpoint_is_proved_from_the_first_row,
    checkpoints::what_a_start_would_overlook_is_told,
    checkpoints::one_changed_byte_of_a_checkpoint_is_found,
    counted::counters_in_sql_equal_the_counters_in_code,
    counted::a_start_counts_on_from_the_checkpoint_what_came_and_what_changed,
    counted::what_a_checkpoint_counts_is_not_read_again_and_without_counters_everything_is,
    counted::wrong_counters_of_a_checkpoint_are_found,
    reading::orders_and_fills_are_filtered_newest_first,
    reading::an_order_tells_its_whole_story,
);
