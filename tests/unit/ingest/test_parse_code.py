"""Definitions begin blocks in every language of the contract's list, and head what is in them."""

from __future__ import annotations

import pytest
from document_checks import outline

SOURCES = {
    "a.c": """#include <stdio.h>
static int count = 0;
/* adds one */
static int add(int a, int b)
{
    if (a) {
        return b;
    }

    return a + b;
}
int main(int argc, char **argv) {
    printf("x");
}
struct point {
    int x;
};
""",
    "a.cpp": """namespace shop {
class Cart : public Base {
 public:
  Cart();
  // the sum
  double total() const {
    for (auto& item : items) {
      sum += item.price;
    }

    return sum;
  }
  virtual ~Cart() {}
};
}
template <typename T>
T Cart::largest(const std::vector<T>& all,
                bool strict) {
  return all[0];
}
""",
    "a.cs": """using System;
public class Clock
{
    private int ticks;
    [Obsolete]
    public async Task<int> Tick(int n)
    {
        if (n > 0)
        {
            ticks += n;
        }

        return ticks;
    }
    public override string ToString() { return "x"; }
    public void Stop()
    {
        ticks = 0;
    }
}
""",
    "a.css": """body {
  margin: 0;
}
a:hover, .link > b {
  color: red;
}
@media print {
  nav {
    display: none;
  }
}
""",
    "a.go": """package main
type Clock struct {
\tticks int
}
// Tick adds one.
func (c *Clock) Tick(n int) error {
\tif n < 0 {
\t\treturn err
\t}

\treturn nil
}
func main() {
\tfmt.Println("x")
}
""",
    "a.java": """package clocks;
public final class Clock implements Ticking {
    private int ticks;
    @Override
    public int tick(int n) throws Broken {
        while (n > 0) {
            n--;
        }

        return ticks;
    }
    interface Listener {
        void ticked();
    }
}
""",
    "a.js": """const a = require("a");
export default class Clock extends Base {
  constructor(now) {
    this.now = now;
  }
  async tick(n) {
    if (n) {
      return n;
    }

    return this.now;
  }
}
const add = (a, b) => {
  return a + b;
};
function main() {
  run(() => {
    add(1, 2);
  });
}
""",
    "a.php": """<?php
namespace Shop;
class Cart {
    public function total(): float {
        foreach ($this->items as $item) {
            $sum += $item;
        }

        return $sum;
    }
}
function main() {
    echo 1;
}
""",
    "a.py": '''import os
# how it ends
@cache
def add(a, b):
    """Class of things that add."""
    total = a + b

    return total
class Clock(Base, metaclass=Meta):
    """A clock.

    Not a class of its own.
    """
    def tick(self):
        return type(self)
    async def stop(self):
        if self:
            return 1
''',
    "a.rb": """require "a"
module Shop
  class Cart
    def total
      items.each do |item|
        sum += item
      end

      sum
    end
    def empty? = items.empty?
  end
end
""",
    "a.sh": """#!/bin/sh
set -e
# says it
greet() {
  if [ -n "$1" ]; then
    echo "$1"
  fi

  echo done
}
function main {
  greet you
}
main "$@"
""",
    "a.ts": """import { a } from "a";
export interface Clock {
  ticks: number;
}
export type Name = string | null;
export abstract class Tower<T> implements Clock {
  private ticks = 0;
  public tick(n: number): void {
    for (const x of n) {
      this.ticks += x;
    }

    this.end();
  }
}
export const add = async (a: number): Promise<number> => {
  return a;
};
""",
}
STARTS = {
    "a.c": ["#include", "/* adds one */", "return a + b", "int main", "struct point"],
    "a.cpp": ["namespace", "class Cart", "// the sum", "return sum", "virtual", "template"],
    "a.cs": ["using", "public class", "[Obsolete]", "return ticks", "public override", "public void"],
    "a.css": ["body", "a:hover", "@media", "nav"],
    "a.go": ["package", "type Clock", "// Tick", "return nil", "func main"],
    "a.java": ["package", "public final", "@Override", "return ticks", "interface"],
    "a.js": ["const a", "export default", "constructor", "async tick", "return this.now",
             "const add", "function main"],
    "a.php": ["<?php", "class Cart", "public function", "return $sum", "function main"],
    "a.py": ["import", "# how it ends", "return total", "class Clock", "Not a class", "def tick",
             "async def"],
    "a.rb": ["require", "module", "class Cart", "def total", "sum\n", "def empty?"],
    "a.sh": ["#!/bin/sh", "# says it", "echo done", "function main"],
    "a.ts": ["import", "export interface", "export type", "export abstract", "public tick",
             "this.end", "export const"],
}  # fmt: skip
PATHS = {
    "a.c": ("return a + b", ("static int add(int a, int b)",)),
    "a.cpp": (
        "return sum",
        ("class Cart : public Base", "double total() const"),
    ),
    "a.cs": ("return ticks", ("public class Clock", "public async Task<int> Tick(int n)")),
    "a.css": ("nav", ("@media print",)),
    "a.go": ("return nil", ("func (c *Clock) Tick(n int) error",)),
    "a.java": (
        "return ticks",
        ("public final class Clock implements Ticking", "public int tick(int n) throws Broken"),
    ),
    "a.js": ("return this.now", ("export default class Clock extends Base", "async tick(n)")),
    "a.php": ("return $sum", ("class Cart", "public function total(): float")),
    "a.py": ("return total", ("def add(a, b)",)),
    "a.rb": ("sum\n", ("module Shop", "class Cart", "def total")),
    "a.sh": ("echo done", ("greet()",)),
    "a.ts": (
        "this.end",
        ("export abstract class Tower<T> implements Clock", "public tick(n: number): void"),
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_definitions_begin_blocks(parsed, name):
    document = parsed(SOURCES[name], name)
    found = [text for _, text in outline(document)]
    starts = STARTS[name]
    assert [
        (text + "\n").startswith(start) for text, start in zip(found, starts, strict=False)
    ] == ([True] * len(starts)), found
    assert document.text == SOURCES[name]


@pytest.mark.parametrize("name", PATHS)
def test_what_is_inside_is_headed_by_its_definition(parsed, name):
    start, path = PATHS[name]
    document = parsed(SOURCES[name], name)
    (block,) = (b for b in document.blocks if (document.text[b.start_char :]).startswith(start))
    assert block.heading_path == path
    line = SOURCES[name][: block.start_char].count("\n") + 1
    assert block.place.first_line == line


def test_calls_and_statements_are_no_definitions(parsed):
    source = "type(x)\nmodule.exports = 3\nclass_name = 4\nif (x) {\n  y();\n}\nrun(a,\n    b)\n"
    assert len(parsed(source, "a.js").blocks) == 1


@pytest.mark.parametrize(
    "line",
    ["class a" + "(x" * 180 + "=", "f(" + ")" * 390 + ";", "a <" * 130, "x" * 1_000_000 + "("],
)
def test_no_line_takes_long(parsed, line):
    assert parsed(line + "\n", "a.ts").blocks
