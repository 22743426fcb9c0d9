// SPDX-License-Identifier: Apache-2.0
// node solc_shim.js SOLJSON [--version | --standard-json [FILE]] [--base-path FOLDER]: speaks solc's command line for the one
// soljson.js of compiler.json. npm's wrapper around it is not used: it prints remarks before its JSON, which no caller can
// parse, and needs more packages.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const Module = require("module");

const pins = JSON.parse(fs.readFileSync(path.join(__dirname, "compiler.json"), "utf8"));
const [soljson, ...words] = process.argv.slice(2);

// What is hashed is what is run: the file is read once.
const code = fs.readFileSync(soljson);
if (crypto.createHash("sha256").update(code).digest("hex") !== pins.soljson) {
  console.error(`${soljson} is not the soljson.js of solc ${pins.version}`);
  process.exit(1);
}
if (words.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${pins.build}.Emscripten.clang`);
  process.exit(0);
}

const loaded = new Module(soljson);
loaded.filename = soljson;
loaded._compile(code.toString("utf8"), soljson);
const compiler = loaded.exports;
process.removeAllListeners("uncaughtException"); // Emscripten hides the cause of a crash
process.removeAllListeners("unhandledRejection");

function answer(text, pointer) {
  const length = compiler.lengthBytesUTF8(text) + 1;
  const buffer = compiler._solidity_alloc(length);
  compiler.stringToUTF8(text, buffer, length);
  compiler.setValue(pointer, buffer, "*");
}

// Sources that are not in the JSON come from the base path, as in the native compiler; nothing else is answered.
const base = words.includes("--base-path") ? words[words.indexOf("--base-path") + 1] : null;
function read(context, kind, name, contents, error) {
  const file = compiler.UTF8ToString(name);
  try {
    if (base === null || compiler.UTF8ToString(kind) !== "source") throw new Error("not read");
    answer(fs.readFileSync(path.join(base, file), "utf8"), contents);
  } catch (_) {
    answer(`no source ${file}`, error);
  }
}

const compile = compiler.cwrap("solidity_compile", "string", ["string", "number", "number"]);
const input = words.find((word) => word.endsWith(".json") && !word.startsWith("--"));
process.stdout.write(compile(fs.readFileSync(input || 0, "utf8"), compiler.addFunction(read, "viiiii"), 0));
