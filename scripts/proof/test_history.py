#!/usr/bin/env python3
"""Each rule of history.py against small histories made by hand: some that obey it, some that break it.

Usage: test_history.py        or  python3 -m unittest -v test_history
"""

import itertools
import json
import pathlib
import unittest

import history

S = history.SECOND


class Hand:
    """A history made by hand; times are seconds."""

    def __init__(self, nodes=("a", "b", "c"), **bounds):
        self.history, self.ids = history.History(), itertools.count(1)
        self.history.add({"kind": "event", "event": "meta", **bounds})
        for node in nodes:
            self.event(-60, "start", node)

    def event(self, at, name, node=None, **more):
        self.history.add({"kind": "event", "event": name, "at": int(at * S), "node": node, **more})
        return self

    def call(self, at, op, outcome=200, value=None, node="a", key="k", took=0.1, **more):
        self.history.add({"kind": "call", "id": next(self.ids), "client": "c", "node": node, "op": op, "key": key,
                          "start": int(at * S), "end": int((at + took) * S), "outcome": outcome, "value": value,
                          **more})
        return self

    def put(self, at, value, outcome=200, acks=3, wanted=3, **more):
        return self.call(at, "put", outcome, value, acks=acks, wanted=wanted, **more)

    def delete(self, at, outcome=200, acks=3, wanted=3, **more):
        return self.call(at, "delete", outcome, acks=acks, wanted=wanted, **more)

    def get(self, at, value=None, **more):
        """A value, or None for 404."""
        return self.call(at, "get", 404 if value is None else 200, value, **more)

    def broken(self, rule):
        return len(history.check(self.history, [rule]))


class RuleCase(unittest.TestCase):
    def obeys(self, rule, hand):
        self.assertEqual(history.check(hand.history, [rule]), [])

    def breaks(self, rule, hand, times=1):
        self.assertEqual(len(history.check(hand.history, [rule])), times)


class Lost(RuleCase):
    def test_a_write_that_is_found_at_the_end_is_not_lost(self):
        self.obeys("lost", Hand().put(1, "x").get(2).get(3, "x"))

    def test_a_write_that_no_last_read_finds_is_lost(self):
        self.breaks("lost", Hand().put(1, "x").get(2, "x").event(3, "kill", "a").get(4, node="b").get(5, node="c"))

    def test_one_last_read_that_finds_it_is_enough(self):
        self.obeys("lost", Hand().put(1, "x").event(3, "kill", "a").get(4, node="b").get(5, "x", node="c"))

    def test_when_all_copies_died_before_repair_nothing_is_said(self):
        hand = Hand().put(1, "x", outcome=202, acks=2)
        self.obeys("lost", hand.event(2, "kill", "a").event(3, "kill", "b").get(4, node="c"))

    def test_one_copy_more_than_died_must_be_left(self):
        hand = Hand().put(1, "x").event(2, "kill", "a").event(3, "kill", "b")
        self.breaks("lost", hand.get(4, node="c"))

    def test_copies_are_whole_again_after_the_repair(self):
        hand = Hand(nodes="abcdef", repair_us=5 * S).put(1, "x")
        for at, node in ((2, "a"), (20, "b"), (40, "d"), (60, "e")):
            hand.event(at, "kill", node)
        self.breaks("lost", hand.get(61, node="c"))

    def test_what_was_owed_is_there_after_the_repair_and_outlives_its_first_holder(self):
        hand = Hand(repair_us=5 * S).event(0.5, "pause", "b").put(1, "x", outcome=202, acks=1)
        hand.event(1.2, "resume", "b").event(30, "kill", "a")
        self.breaks("lost", hand.get(31, node="c"))

    def test_what_is_owed_may_die_with_its_only_holder(self):
        hand = Hand().put(1, "x", outcome=202, acks=1).event(2, "kill", "a")
        self.obeys("lost", hand.get(3, node="c"))

    def test_a_death_of_a_node_that_did_not_take_it_counts_for_nothing(self):
        hand = Hand(nodes="abcd").put(1, "x", outcome=202, acks=1, takers=["d"]).event(2, "kill", "a")
        self.breaks("lost", hand.get(3, node="c"))

    def test_a_node_that_hands_over_takes_no_copy_with_it(self):
        hand = Hand().put(1, "x")
        for at, node in ((2, "a"), (2.5, "b"), (3, "c")):
            hand.event(at, "term", node).event(at + 0.2, "start", node).event(at + 0.3, "ready", node)
        self.breaks("lost", hand.get(4, node="c"))

    def test_a_node_that_is_ready_again_has_its_copy_again(self):
        hand = Hand().put(1, "x")
        for at, node in ((2, "a"), (2.5, "b"), (3, "c")):
            hand.event(at, "kill", node).event(at + 0.2, "start", node).event(at + 0.3, "ready", node)
        self.breaks("lost", hand.get(4, node="c"))

    def test_without_the_word_ready_three_deaths_in_a_row_may_lose_it(self):
        hand = Hand().put(1, "x")
        for at, node in ((2, "a"), (2.5, "b"), (3, "c")):
            hand.event(at, "kill", node).event(at + 0.2, "start", node)
        self.obeys("lost", hand.get(4, node="c"))

    def test_a_delete_or_an_end_of_life_is_no_loss(self):
        self.obeys("lost", Hand().put(1, "x").delete(2).get(3))
        self.obeys("lost", Hand().put(1, "x", ttl_us=2 * S).get(4))

    def test_a_refused_write_leaves_the_one_before_it(self):
        self.breaks("lost", Hand().put(1, "x").put(2, "y", outcome=503, acks=0).get(3))

    def test_what_is_found_for_a_while_and_then_no_more_is_lost(self):
        self.breaks("lost", Hand().put(1, "x").get(2, "x").get(3, "x", node="b").get(9).get(9, node="b"))

    def test_no_answer_is_no_loss(self):
        self.obeys("lost", Hand().put(1, "x").call(2, "get", 503).call(3, "get", 504))


class FalseNo(RuleCase):
    def test_not_found_before_anything_was_written_is_true(self):
        self.obeys("false_no", Hand().get(0.5).put(1, "x").get(2, "x"))

    def test_not_found_of_what_is_found_later_was_false(self):
        self.breaks("false_no", Hand().put(1, "x").event(2, "pause", "b").get(2.1).event(3, "resume", "b").get(4, "x"))

    def test_each_false_answer_counts(self):
        self.breaks("false_no", Hand().put(1, "x").get(2).get(2.2).get(4, "x"), times=2)

    def test_a_single_copy_is_enough_to_make_it_false(self):
        self.breaks("false_no", Hand().put(1, "x", outcome=202, acks=1).get(2).get(4, "x"))

    def test_not_found_while_the_write_is_under_way_is_true(self):
        self.obeys("false_no", Hand().put(1, "x", took=2).get(2).get(4, "x"))

    def test_unavailable_and_timed_out_are_never_false(self):
        self.obeys("false_no", Hand().put(1, "x").call(2, "get", 503).call(2, "get", 504).get(4, "x"))

    def test_a_delete_that_may_have_happened_explains_it(self):
        self.obeys("false_no", Hand().put(1, "x").delete(2, outcome=0, acks=None).get(3).put(4, "y").get(5, "y"))

    def test_a_delete_before_the_write_explains_nothing(self):
        self.breaks("false_no", Hand().delete(1).put(2, "x").get(3).get(4, "x"))

    def test_a_shorter_life_that_replaced_it_explains_it(self):
        self.obeys("false_no", Hand().put(1, "x").put(2, "y", ttl_us=2 * S).get(5).put(6, "z").get(7, "z"))

    def test_a_life_that_has_not_ended_explains_nothing(self):
        self.breaks("false_no", Hand().put(1, "x").put(2, "y", ttl_us=20 * S).get(5).get(6, "y"))

    def test_who_is_cut_off_for_long_may_say_no(self):
        hand = Hand(nodes="abcde", gone_us=10 * S).put(1, "x", takers=["a", "b", "c"])
        hand.event(2, "partition", groups=[["a", "b", "c"], ["d", "e"]])
        self.breaks("false_no", hand.get(5, node="d").get(30, node="d").event(40, "heal").get(50, "x", node="d"))


class Stale(RuleCase):
    def test_a_read_after_an_overwrite_sees_it(self):
        self.obeys("stale", Hand().put(1, "x").put(2, "y").get(3, "y"))

    def test_an_old_value_after_an_overwrite_is_stale(self):
        self.breaks("stale", Hand().put(1, "x").put(2, "y").get(3, "x"))

    def test_during_an_overwrite_either_value_will_do(self):
        self.obeys("stale", Hand().put(1, "x").put(2, "y", took=2).get(2.5, "x").get(2.7, "y"))

    def test_what_no_majority_acknowledged_need_not_be_seen(self):
        self.obeys("stale", Hand().put(1, "x").put(2, "y", outcome=202, acks=1).get(3, "x"))

    def test_two_of_three_are_a_majority(self):
        self.breaks("stale", Hand().put(1, "x").put(2, "y", outcome=202, acks=2).get(3, "x"))

    def test_success_with_a_wanted_of_one_is_no_majority_of_three(self):
        self.obeys("stale", Hand().put(1, "x").put(2, "y", acks=1, wanted=1).get(3, "x"))

    def test_what_was_seen_once_stays_seen(self):
        hand = Hand().put(1, "x").put(2, "y", outcome=0, acks=None)
        self.breaks("stale", hand.get(3, "y", version=2).get(4, "x", version=1))

    def test_a_read_of_one_copy_may_be_old_for_a_while(self):
        hand = Hand(cache_us=60 * S).put(1, "x").put(2, "y")
        self.breaks("stale", hand.get(30, "x", quorum=1).get(80, "x", quorum=1))

    def test_a_majority_by_number_is_a_majority(self):
        self.breaks("stale", Hand().put(1, "x").put(2, "y").get(3, "x", quorum=2))

    def test_versions_decide_between_writes_at_one_time(self):
        hand = Hand().put(1, "x", version=5, took=2).put(1, "y", version=6, took=2)
        self.breaks("stale", hand.get(4, "x", version=5).get(5, "y", version=6))

    def test_an_older_value_that_comes_back_after_the_end_of_a_newer_one_is_stale(self):
        self.breaks("stale", Hand().put(1, "x").put(2, "y", ttl_us=2 * S).get(6, "x"))

    def test_an_older_value_is_right_where_all_copies_of_the_newer_died(self):
        hand = Hand().put(1, "x").put(2, "y", outcome=202, acks=2)
        self.obeys("stale", hand.event(3, "kill", "a").event(3, "kill", "b").get(4, "x", node="c"))


class Undeleted(RuleCase):
    def test_what_was_deleted_stays_deleted(self):
        self.obeys("undeleted", Hand().put(1, "x").delete(2).get(3).get(9))

    def test_a_value_after_its_delete_is_undeleted(self):
        self.breaks("undeleted", Hand().put(1, "x").delete(2).get(3, "x"))

    def test_a_value_from_before_an_overwrite_and_its_delete_is_undeleted(self):
        hand = Hand().put(1, "x", version=1).put(2, "y", version=2).delete(3)
        self.breaks("undeleted", hand.get(4, "x", version=1))

    def test_a_value_during_its_delete_is_right(self):
        self.obeys("undeleted", Hand().put(1, "x").delete(2, took=2).get(3, "x"))

    def test_a_write_after_the_delete_is_no_undoing(self):
        self.obeys("undeleted", Hand().put(1, "x").delete(2).put(3, "y").get(4, "y"))

    def test_a_delete_that_a_minority_acknowledged_may_be_unseen(self):
        self.obeys("undeleted", Hand().put(1, "x").delete(2, outcome=202, acks=1).get(3, "x"))


class OtherRules(RuleCase):
    def test_a_record_is_found_until_its_end_and_not_after(self):
        self.obeys("outlived", Hand().put(1, "x", ttl_us=2 * S).get(2.5, "x").get(3.5, "x"))
        self.breaks("outlived", Hand().put(1, "x", ttl_us=2 * S).get(5, "x"))

    def test_a_value_has_a_writer(self):
        self.obeys("invented", Hand().put(1, "x", outcome=0, acks=None).get(2, "x"))
        self.breaks("invented", Hand().put(1, "x").get(2, "z"))
        self.breaks("invented", Hand().put(1, "x", outcome=413, acks=None).get(2, "x"))

    def test_a_version_has_one_value(self):
        self.obeys("one_version", Hand().put(1, "x", version=1).put(1, "y", version=2).get(3, "y", version=2))
        self.breaks("one_version", Hand().put(1, "x", version=1).put(1, "y", version=1))
        self.breaks("one_version", Hand().put(1, "x").put(1, "y").get(3, "x", version=1).get(4, "y", version=1))
        self.breaks("one_version", Hand().put(1, "x", version=1).delete(1, version=1))

    def test_versions_follow_time(self):
        self.obeys("order", Hand().put(1, "x", version=1).put(2, "y", version=2))
        self.obeys("order", Hand().put(1, "x", version=2, took=3).put(2, "y", version=1))
        self.breaks("order", Hand().put(1, "x", version=9).put(2, "y", version=2))

    def test_success_means_all_copies(self):
        self.obeys("short", Hand().put(1, "x").put(2, "y", outcome=202, acks=1).delete(3))
        self.breaks("short", Hand().put(1, "x", acks=1, wanted=1))
        self.breaks("short", Hand().delete(1, acks=2, wanted=2))

    def test_success_where_there_are_fewer_nodes_than_copies_means_all_of_them(self):
        self.obeys("short", Hand(nodes="ab").put(1, "x", acks=2, wanted=2))
        self.breaks("short", Hand(nodes="ab").put(1, "x", acks=1, wanted=1))

    def test_nodes_that_ended_are_not_wanted_and_paused_ones_are(self):
        self.obeys("short", Hand().event(1, "kill", "c").put(2, "x", acks=2, wanted=2))
        self.breaks("short", Hand().event(1, "pause", "c").put(2, "x", acks=2, wanted=2))

    def test_a_newcomer_is_wanted_once_it_is_ready_or_must_be_known(self):
        hand = Hand(nodes="ab", join_us=5 * S).event(1, "start", "c").put(2, "x", acks=2, wanted=2)
        self.obeys("short", hand)
        self.breaks("short", hand.put(7, "y", acks=2, wanted=2))
        hand = Hand(nodes="ab", join_us=5 * S).event(1, "start", "c").event(1.5, "ready", "c")
        self.breaks("short", hand.put(2, "y", acks=2, wanted=2).event(3, "kill", "c").put(4, "z", acks=2, wanted=2))

    def test_a_caller_may_ask_for_fewer(self):
        self.obeys("short", Hand().put(1, "x", acks=1, wanted=1, w=1))

    def test_a_complete_answer_names_all_providers(self):
        hand = Hand().call(1, "provide", 200, providers=["tcp://x"], acks=3, wanted=3)
        self.obeys("complete", hand.call(2, "find", 200, providers=["tcp://x"], complete=True)
                   .call(3, "find", 200, providers=[], complete=False).call(4, "find", 503))
        self.breaks("complete", hand.call(5, "find", 200, providers=[], complete=True))

    def test_a_provider_that_has_ended_is_not_missed(self):
        hand = Hand().call(1, "provide", 200, providers=["tcp://x"], acks=3, wanted=3, ttl_us=2 * S)
        self.obeys("complete", hand.call(5, "find", 200, providers=[], complete=True))


class Counters(RuleCase):
    @staticmethod
    def begin():
        return Hand().put(1, "v0", number=0, version=1)

    def test_increments_that_are_all_there(self):
        hand = self.begin().call(2, "cas", 200, "v1", expect=1, version=2, number=1)
        hand.call(3, "cas", 412, "v1b", expect=1, number=1)
        self.obeys("counter", hand.call(4, "cas", 200, "v2", expect=2, version=3, number=2).get(6, "v2", number=2))

    def test_an_increment_that_is_not_in_the_end_value(self):
        hand = self.begin().call(2, "cas", 200, "v1", expect=1, number=1).call(3, "cas", 200, "v2", expect=2, number=1)
        self.breaks("counter", hand.get(6, "v1", number=1))

    def test_an_increment_that_nobody_knows_of_may_count_or_not(self):
        for end in (1, 2):
            hand = self.begin().call(2, "cas", 200, "v1", expect=1, number=1)
            hand.call(3, "cas", 0, "v2", expect=2, number=2)
            self.obeys("counter", hand.get(6, f"v{end}", number=end))

    def test_a_counter_that_went_up_by_more_than_was_tried(self):
        self.breaks("counter", self.begin().call(2, "cas", 200, "v1", expect=1, number=1).get(6, "v9", number=9))

    def test_two_that_were_acknowledged_over_one_version(self):
        hand = self.begin().call(2, "cas", 200, "v1", expect=1).call(2, "cas", 200, "v1b", expect=1)
        self.breaks("counter", hand)

    def test_two_that_both_created_a_key(self):
        hand = Hand().call(2, "cas", 200, "x", expect="none").call(2, "cas", 200, "y", expect="none")
        self.breaks("counter", hand)


class Agree(RuleCase):
    def test_nodes_that_answer_alike(self):
        hand = Hand(agree_us=5 * S).put(1, "x", version=1).put(1, "y", version=2)
        self.obeys("agree", hand.get(2, "x", version=1).get(9, "y", version=2, node="b").get(9, "y", version=2))

    def test_nodes_that_answer_differently_after_the_bound(self):
        hand = Hand(agree_us=5 * S).put(1, "x", version=1)
        self.breaks("agree", hand.get(9, "x", version=1, node="a").get(9, "y", version=1, node="b"))
        self.breaks("agree", Hand(agree_us=5 * S).put(1, "x").get(9, "x", node="a").get(9, node="b"))

    def test_no_answer_is_no_disagreement(self):
        self.obeys("agree", Hand(agree_us=5 * S).put(1, "x").get(9, "x").call(9, "get", 503, node="b"))

    def test_the_bound_begins_when_the_last_fault_ends(self):
        hand = Hand(agree_us=5 * S).put(1, "x").event(8, "resume", "b")
        self.obeys("agree", hand.get(9, "x").get(9, node="b").get(20, "x", node="b").get(20, "x", node="a"))

    def test_holders_that_hold_different_versions(self):
        hand = Hand(agree_us=5 * S).put(1, "x")
        hand.event(9, "holders", "a", records=[["k", 1, "x"]])
        self.obeys("agree", hand.event(9, "holders", "b", records=[["k", 1, "x"], ["other", 2, "y"]]))
        self.breaks("agree", hand.event(10, "holders", "c", records=[["k", 0, "w"]]))


class Format(unittest.TestCase):
    def test_lines_are_read_whatever_else_they_say(self):
        lines = [json.dumps({"kind": "event", "event": "meta", "replica": 2, "seed": 5}),
                 json.dumps({"kind": "event", "event": "pause", "at": 4, "node": "b", "why": "test"}),
                 json.dumps({"kind": "call", "id": 1, "client": "c", "node": "a", "op": "get", "key": "k", "start": 1,
                             "end": 2, "outcome": "not_found", "hops": 3}), ""]
        read = history.History.read(lines)
        self.assertEqual(read.bounds.replica, 2)
        self.assertEqual(read.events[0].node, "b")
        self.assertTrue(read.calls[0].is_absent)

    def test_every_rule_is_tested(self):
        text = pathlib.Path(__file__).read_text()
        for rule in history.RULES:
            self.assertIn(f'breaks("{rule}"', text)
            self.assertIn(f'obeys("{rule}"', text)


if __name__ == "__main__":
    unittest.main()
