"""How good is the ranking? Judged questions in, figures out, and whether a difference is real.

Reading order: `judged` (what a set is), `readers` and `known_items` (where one comes from),
`asking` (who answers: this process or a server), `measures` (figures of one run), `compare`
(two runs), `report` (what is printed).
"""
