#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The compiler as forge runs it. --liftoff-only halves the time: the WebAssembly module runs once per compilation.
here="$(dirname -- "$(readlink -f -- "$0")")"
exec node --liftoff-only "$here/solc_shim.js" "$here/node_modules/solc/soljson.js" "$@"
