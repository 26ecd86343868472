// A crowd in Nebula's rooms, for k6 1.6 or newer (the first with k6/websockets).
//
//   nebula -ip-rate 0                                        all come from one address
//   k6 run -e VUS=10 perf/k6/chat.js                         1,000 sockets on this machine
//   k6 run -e TARGETS=ws://a:8080/ws,ws://b:8080/ws perf/k6/chat.js
//
//   NEBULA_IP_RATE=0 docker compose up -d --scale nebula=3
//   docker compose --profile k6 run --rm -e VUS=200 -e ROOMS=200 k6
//
// Every virtual user holds SOCKETS connections, each a guest of its own in one room; a room's members
// are spread over TARGETS. When all have come they speak in turns for DURATION, RATE messages a second
// in all, and check what they hear: numbers that rise by one, whatever was acked to anybody of the same
// virtual user, an answer to every message of their own. A missed threshold is exit code 99.
//
// nebula_delivery is from just before a message is sent until k6 has read it from a member's socket, by
// the one clock of this machine. The script's own queue behind that is not in it, but a k6 that has no
// CPU left reads late: mind its load. It costs 120 to 150 KB a socket, 380 with SOCKETS=1, 2.6 ms of CPU
// to bring a socket in and 0.1 ms a message heard (1.8.1, 2026-11-25, by ps, with other work on the
// machine). One process holds as many sockets as files (ulimit -n); for more start several, each with
// its own --address.
import { WebSocket } from 'k6/websockets';
import { CookieJar } from 'k6/http';
import { Counter, Trend } from 'k6/metrics';
import exec from 'k6/execution';

const targets = (__ENV.TARGETS || 'ws://127.0.0.1:8080/ws').split(',');
const vus = Number(__ENV.VUS || 10);
const sockets = Number(__ENV.SOCKETS || 100); // a virtual user
const rooms = Number(__ENV.ROOMS || 10); // in all
const rate = Number(__ENV.RATE || 100); // messages a second, in all
const ramp = seconds(__ENV.RAMP || '10s'); // in which they come
const duration = seconds(__ENV.DURATION || '30s'); // of speaking, after that
const settle = 5; // seconds after the ramp, and after the talk, in which what is on its way arrives
const clients = vus * sockets;

const delivery = new Trend('nebula_delivery', true);
const acknowledged = new Trend('nebula_ack', true);
const joined = new Counter('nebula_joined');
const acks = new Counter('nebula_acks');
const heard = new Counter('nebula_heard');
const faults = {
  holes: new Counter('nebula_holes'), // numbers skipped
  doubles: new Counter('nebula_doubles'), // numbers that did not rise
  missing: new Counter('nebula_missing'), // acked, and not heard by the end
  unanswered: new Counter('nebula_unanswered'), // neither ack nor error by the end
  refused: new Counter('nebula_refused'), // errors
  closed: new Counter('nebula_closed'), // connections that failed or ended before their time
};

const thresholds = { nebula_joined: [`count==${clients}`] };
for (const name in faults) thresholds[`nebula_${name}`] = ['count==0'];
if (rate > 0) {
  // A metric without a sample passes every threshold: these see to it that there are some.
  thresholds.nebula_acks = ['count>0'];
  thresholds.nebula_heard = ['count>0'];
  thresholds.nebula_delivery = ['p(95)<150'];
}

export const options = {
  scenarios: {
    crowd: { executor: 'per-vu-iterations', vus, iterations: 1, maxDuration: `${ramp + duration + 2 * settle + 60}s` },
  },
  thresholds,
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

// seconds reads a duration as k6 writes it, "90s" or "2m"; a bare number is seconds.
function seconds(text) {
  const [, number, unit] = /^([\d.]+)(s|m|)$/.exec(text);
  return Number(number) * (unit === 'm' ? 60 : 1);
}

export default function () {
  const begin = exec.scenario.startTime; // the same for all
  const talk = begin + 1000 * (ramp + settle);
  const crowd = { begin, talk, quiet: talk + 1000 * duration, newest: {}, complained: false };
  for (const name in faults) faults[name].add(0);
  joined.add(0);
  const first = (exec.vu.idInTest - 1) * sockets;
  for (let n = first; n < first + sockets; n++) {
    at(begin + (1000 * ramp * n) / clients, () => connect(n, crowd));
  }
}

// at calls f at a time in Unix ms. A virtual user ends when no call is left to come.
function at(time, f) {
  setTimeout(f, Math.max(0, time - Date.now()));
}

// connect plays client number n until the crowd goes home. crowd is what this virtual user's clients share.
function connect(n, crowd) {
  // Neighbours share a room, so that they can check each other, and not a node.
  const room = `k6-${crowd.begin}-${Math.floor((n * rooms) / clients)}`;
  const sent = new Map(); // id -> when, of the unanswered
  let last = -1; // number of the newest message heard; -1: not joined
  let counter = 0;
  let leaving = false;
  // A jar of its own: the virtual user's would make one guest of all its sockets.
  const socket = new WebSocket(targets[n % targets.length], 'nebula.v1.json', { jar: new CookieJar() });

  function speak() {
    if (leaving) return;
    const id = `k-${n}-${++counter}`;
    const now = Date.now();
    sent.set(id, now);
    socket.send(JSON.stringify({ type: 'message', room, id, text: `${now} ${'x'.repeat(100)}` }));
    speakAt(now + (1000 * clients) / rate);
  }

  function speakAt(time) {
    if (time < crowd.quiet) at(time, speak);
  }

  function leave() {
    if (leaving) return;
    leaving = true;
    faults.unanswered.add(sent.size);
    if (last >= 0) faults.missing.add(Math.max(0, (crowd.newest[room] || 0) - last));
    socket.close();
  }

  const on = {
    joined: (m) => {
      joined.add(1);
      last = m.seq;
      if (rate > 0) speakAt(crowd.talk + (Math.random() * 1000 * clients) / rate);
    },
    message: (m, when) => {
      if (m.seq <= last) faults.doubles.add(1);
      else if (m.seq > last + 1) faults.holes.add(m.seq - last - 1);
      last = Math.max(last, m.seq);
      heard.add(1);
      delivery.add(when - Number(m.text.split(' ', 1)[0]));
    },
    ack: (m, when) => {
      acks.add(1);
      acknowledged.add(when - sent.get(m.id));
      sent.delete(m.id);
      crowd.newest[room] = Math.max(crowd.newest[room] || 0, m.seq);
    },
    error: (m) => {
      faults.refused.add(1);
      sent.delete(m.id);
      complain(`${m.code}: ${m.message}`);
    },
  };

  function complain(why) {
    if (leaving || crowd.complained) return;
    console.error(`client ${n}, and maybe more: ${why}`);
    crowd.complained = true;
  }

  socket.addEventListener('open', () => {
    socket.send(JSON.stringify({ type: 'join', room }));
    at(crowd.quiet + 1000 * settle, leave);
  });
  socket.addEventListener('message', (e) => {
    const m = JSON.parse(e.data);
    if (on[m.type]) on[m.type](m, e.timestamp);
  });
  socket.addEventListener('error', (e) => complain(e.error));
  socket.addEventListener('close', (e) => {
    if (leaving) return;
    faults.closed.add(1);
    complain(`closed before its time, code ${e.code}`);
    leave();
  });
}
