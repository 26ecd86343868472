// A crowd in Nebula's rooms: k6 run -e CLIENTS=20000 -e ROOMS=200 perf/k6/chat.js
//
// Every virtual user holds several connections. Each joins one room, some of its
// members speak, and all check what they hear: rising numbers without a hole, once
// each. Latency is from just before a message is sent to when a member of its room
// has it, both by this machine's clock.
//
// NEBULA_URL, CLIENTS, ROOMS, RATE (messages a second in all), RAMP and HOLD (seconds)
// are settings. Start the server with -rate 0 -ip-rate 0: all come from one address.
import { WebSocket } from 'k6/websockets';
import { Counter, Trend } from 'k6/metrics';
import exec from 'k6/execution';

const url = __ENV.NEBULA_URL || 'ws://127.0.0.1:8080/ws';
const clients = Number(__ENV.CLIENTS || 1000);
const rooms = Number(__ENV.ROOMS || 10);
const rate = Number(__ENV.RATE || 100);
const ramp = Number(__ENV.RAMP || 20);
const hold = Number(__ENV.HOLD || 30);
const perUser = 100;
const users = Math.ceil(clients / perUser);

const delivery = new Trend('nebula_delivery', true);
const acknowledged = new Trend('nebula_ack', true);
const heard = new Counter('nebula_heard');
const acks = new Counter('nebula_acks');
const holes = new Counter('nebula_holes');
const doubles = new Counter('nebula_doubles');
const refused = new Counter('nebula_refused');
const lost = new Counter('nebula_connections_lost');

export const options = {
  scenarios: {
    crowd: { executor: 'per-vu-iterations', vus: users, iterations: 1, maxDuration: `${ramp + hold + 60}s` },
  },
  thresholds: {
    nebula_delivery: ['p(95)<150'],
    nebula_holes: ['count==0'],
    nebula_doubles: ['count==0'],
    nebula_refused: ['count==0'],
    nebula_connections_lost: ['count==0'],
  },
};

export default function () {
  const first = (exec.vu.idInTest - 1) * perUser;
  const mine = Math.min(perUser, clients - first);
  for (let i = 0; i < mine; i++) {
    const n = first + i;
    setTimeout(() => connect(n), (1000 * ramp * n) / clients);
  }
}

// connect plays client number n until the crowd goes home.
function connect(n) {
  const room = `k6-${n % rooms}`;
  const ends = 1000 * (hold + ramp - (ramp * n) / clients);
  const sent = new Map(); // id -> when
  let last = 0;
  let counter = 0;
  let leaving = false;
  const socket = new WebSocket(url, 'nebula.v1.json');
  const on = {
    joined: (m) => {
      last = m.seq;
      // All have come when the ramp is over; then each speaks in its turn.
      const every = (1000 * clients) / rate;
      const begin = 1000 * (ramp - (ramp * n) / clients) + Math.random() * every;
      setTimeout(function speak() {
        if (leaving) return;
        const id = `k-${n}-${++counter}`;
        sent.set(id, Date.now());
        socket.send(JSON.stringify({ type: 'message', room, id, text: `${Date.now()} ${'x'.repeat(100)}` }));
        setTimeout(speak, every);
      }, begin);
    },
    message: (m) => {
      if (m.seq <= last) doubles.add(1);
      else if (m.seq !== last + 1) holes.add(m.seq - last - 1);
      last = Math.max(last, m.seq);
      heard.add(1);
      delivery.add(Date.now() - Number(m.text.split(' ', 1)[0]));
    },
    ack: (m) => {
      acks.add(1);
      acknowledged.add(Date.now() - sent.get(m.id));
      sent.delete(m.id);
    },
    error: () => refused.add(1),
  };
  socket.addEventListener('open', () => {
    socket.send(JSON.stringify({ type: 'join', room }));
    setTimeout(() => {
      leaving = true;
      setTimeout(() => socket.close(), 2000); // what is on its way arrives
    }, ends);
  });
  socket.addEventListener('message', (e) => {
    const m = JSON.parse(e.data);
    if (on[m.type]) on[m.type](m);
  });
  socket.addEventListener('close', () => {
    if (!leaving) lost.add(1);
  });
}
