// SPDX-License-Identifier: Apache-2.0
// Speaks solc's command line for npm's compiler: `--version`, and `--standard-json` from stdin to stdout.
// solcjs itself prints a remark before its JSON, which no caller can parse.
"use strict";
const fs = require("fs");
const path = require("path");

const modules = process.argv[2];
const compiler = path.join(modules, "solc");

if (process.argv.includes("--version")) {
  const version = JSON.parse(fs.readFileSync(path.join(compiler, "package.json"), "utf8")).version;
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}+commit.f401782d.Emscripten.clang`);
  process.exit(0);
}

function find(name) {
  try {
    return { contents: fs.readFileSync(path.join(modules, name), "utf8") };
  } catch (error) {
    return { error: `no source ${name}` };
  }
}

process.removeAllListeners("uncaughtException");
const solc = require(compiler);
const file = process.argv.slice(3).find((word) => word.endsWith(".json") && !word.startsWith("--"));
process.stdout.write(solc.compile(fs.readFileSync(file || 0, "utf8"), { import: find }));
