#!/usr/bin/env bash
# A CPU profile of the server under a load: perf/flame.sh [loadgen's mode and flags]
#
#   perf/flame.sh steady -clients 5000 -rooms 50 -rate 200
#
# It writes into perf/out: cpu.pb.gz (go tool pprof -http=: perf/out/cpu.pb.gz
# shows the flame graph), cpu.txt (the 40 dearest functions), and, if perf is
# installed, kernel.txt (system calls and what they spend their time on), and
# the load's own result, load.json. SERVER_FLAGS are added to the server's.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- steady -clients 5000 -rooms 50 -rate 200 -for 15s
out=perf/out
mkdir -p "$out"
work=$(mktemp -d)
server=
load=
stop() {
	for pid in $load $server; do kill "$pid" 2>/dev/null || true; done
	wait
	rm -rf "$work"
}
trap stop EXIT

go build -o "$work/nebula" ./cmd/nebula
go build -o "$work/loadgen" ./perf/loadgen
# shellcheck disable=SC2086 # the flags are words
"$work/nebula" -addr 127.0.0.1:18080 -admin 127.0.0.1:16060 -data "$work/data" \
	-rate 0 -ip-rate 0 -log-level warn ${SERVER_FLAGS:-} &
server=$!
for _ in $(seq 100); do
	curl -sf -o "$work/ready" http://127.0.0.1:16060/readyz && break
	sleep 0.1
done
"$work/loadgen" "$@" -addr 127.0.0.1:18080 -pid "$server" >"$out/load.json" &
load=$!
# The load has come once the server's messages count up.
sent() { curl -sf http://127.0.0.1:16060/metrics | awk '/^nebula_messages_total.*accepted/ {n += $2} END {print n + 0}'; }
for _ in $(seq 600); do
	[ "$(sent)" != 0 ] && break
	sleep 0.1
done
if command -v perf >/dev/null; then
	perf record -q -g -F 199 -p "$server" -o "$work/perf.data" -- sleep 8 >"$work/perf.log" 2>&1 &
	record=$!
fi
curl -sf -o "$out/cpu.pb.gz" 'http://127.0.0.1:16060/debug/pprof/profile?seconds=8'
if [ -n "${record:-}" ]; then
	wait "$record" || true
	perf report -q --no-children -i "$work/perf.data" --stdio -g none --percent-limit 0.5 >"$out/kernel.txt" 2>"$work/perf.log" ||
		cat "$work/perf.log"
fi
wait "$load" || echo "the load found faults: see $out/load.json"
load=
go tool pprof -top -nodecount 40 "$work/nebula" "$out/cpu.pb.gz" 2>"$work/pprof.log" >"$out/cpu.txt"
head -25 "$out/cpu.txt"
