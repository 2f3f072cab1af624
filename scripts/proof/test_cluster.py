#!/usr/bin/env python3
"""What cluster.py and mutants.py do without a process.

Usage: test_cluster.py
"""

import unittest

import cluster
import mutants
from mutations import Mutation


class Versions(unittest.TestCase):
    def test_an_etag_of_today_is_the_version(self):
        self.assertEqual(cluster.version_of('"1795620026391404"'), 1795620026391404)

    def test_an_etag_that_names_seq_and_value_begins_with_the_version(self):
        self.assertEqual(cluster.version_of('"1795620026391404-9f86d081"'), 1795620026391404)
        self.assertEqual(cluster.version_of('W/"12.ab"'), 12)

    def test_a_version_in_hexadecimal_digits(self):
        self.assertEqual(cluster.version_of('"6613fa0c1b2a.77"'), 0x6613FA0C1B2A)

    def test_no_etag_is_no_version(self):
        self.assertIsNone(cluster.version_of(None))

    def test_a_long_value_stands_as_its_hash(self):
        self.assertEqual(cluster.digest("short"), "short")
        self.assertEqual(len(cluster.digest("x" * 1000)), 16)


class Mutations(unittest.TestCase):
    def test_white_space_stands_for_any_other(self):
        wrapped = "if a,\n    b {\n        return c\n    }"
        self.assertTrue(mutants.pattern("if a, b { return c }").search(wrapped))
        self.assertFalse(mutants.pattern("if a, b { return d }").search(wrapped))

    def test_a_text_that_stands_nowhere_has_no_place(self):
        self.assertEqual(mutants.places(Mutation("n", "no such text as this", "", ""), mutants.ROOT), [])

    def test_every_mutation_changes_something(self):
        for mutation in mutants.MUTATIONS:
            self.assertNotEqual(mutation.old.split(), mutation.new.split(), mutation.name)

    def test_the_list_is_as_long_as_it_should_be(self):
        self.assertGreaterEqual(len(mutants.MUTATIONS), 60)


if __name__ == "__main__":
    unittest.main()
