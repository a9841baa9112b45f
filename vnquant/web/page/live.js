// The live page: connects with the token in the URL's fragment, follows the protocol of protocol.py, and
// shows the latest message of each key and the last events. What comes over the wire is shown as text only.
"use strict";

const LABELS = {
  en: {
    connecting: "connecting …", open: "connected", refused: "refused: open the page with its token",
    latest: "Latest", events: "Events", counts: (seq, gone) => `message ${seq}, ${gone} overtaken`,
    columns: ["No.", "Time", "Topic", "Key", "Content"],
  },
  vi: {
    connecting: "đang kết nối …", open: "đã kết nối", refused: "bị từ chối: hãy mở trang kèm mã truy cập",
    latest: "Mới nhất", events: "Sự kiện", counts: (seq, gone) => `tin số ${seq}, ${gone} tin bị thay thế`,
    columns: ["Số", "Giờ", "Loại", "Khóa", "Nội dung"],
  },
};
const language = navigator.language.startsWith("vi") ? "vi" : "en";
const labels = LABELS[language];
const MAX_EVENTS = 200;
const MAX_KEYS = 500;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10000;
// Handshakes that fail in a row before the token is blamed: a browser does not tell the HTTP status.
const REFUSALS = 3;

const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
const time = new Intl.DateTimeFormat(language, {
  timeZone: "Asia/Ho_Chi_Minh", hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const byId = (id) => document.getElementById(id);

const state = { stream: null, seq: 0, givenUp: 0, latest: new Map(), events: [] };
let nextStream = null;
let givenUpUpto = 0;
let failures = 0;
let drawing = false;

function connect() {
  show("connecting");
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  if (state.stream !== null) {
    url.searchParams.set("stream", state.stream);
    url.searchParams.set("after", state.seq);
  }
  const socket = new WebSocket(url, ["vnquant.v1", "vnquant.token." + token]);
  let opened = false;
  socket.onopen = () => { opened = true; failures = 0; show("open"); };
  socket.onmessage = (event) => take(JSON.parse(event.data), socket);
  socket.onclose = () => {
    failures += 1;
    show(!opened && failures >= REFUSALS ? "refused" : "connecting");
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
    setTimeout(connect, pause * (0.5 + Math.random() / 2));
  };
}

function take(message, socket) {
  if (message.type === "welcome") {
    // Until the snapshot is complete there is nothing to come back to.
    state.stream = message.resumed ? message.stream : null;
    nextStream = message.stream;
  } else if (message.type === "snapshot") {
    if (message.part === 1) { state.latest.clear(); state.events = []; }
    message.messages.forEach(keep);
    if (message.part === message.parts) {
      state.stream = nextStream;
      state.seq = givenUpUpto = message.seq;
    }
  } else if (message.type === "conflated") {
    state.givenUp += message.given_up;
    givenUpUpto = message.upto;
  } else if (message.type === "delta") {
    if (message.seq > state.seq + 1 && message.seq > givenUpUpto) {
      socket.send(JSON.stringify({ type: "resync" }));
    }
    state.seq = message.seq;
    keep(message);
  }
  if (!drawing) { drawing = true; requestAnimationFrame(draw); }
}

function keep(delta) {
  if (delta.key === null) {
    state.events.push(delta);
    if (state.events.length > MAX_EVENTS) { state.events.shift(); }
    return;
  }
  state.latest.delete(delta.key);
  state.latest.set(delta.key, delta);
  if (state.latest.size > MAX_KEYS) { state.latest.delete(state.latest.keys().next().value); }
}

function draw() {
  drawing = false;
  byId("counts").textContent = labels.counts(state.seq, state.givenUp);
  byId("latest").replaceChildren(...[...state.latest.values()].reverse().map(row));
  byId("events").replaceChildren(...[...state.events].reverse().map(row));
}

function row(delta) {
  const line = document.createElement("tr");
  const content = typeof delta.data === "string" ? delta.data : JSON.stringify(delta.data);
  for (const text of [delta.seq, time.format(new Date(delta.at)), delta.topic, delta.key ?? "", content]) {
    line.insertCell().textContent = text;
  }
  return line;
}

function show(condition) {
  byId("status").dataset.state = condition;
  byId("status").textContent = labels[condition];
}

document.documentElement.lang = language;
byId("latest-title").textContent = labels.latest;
byId("events-title").textContent = labels.events;
for (const head of document.querySelectorAll("thead")) {
  const line = head.insertRow();
  for (const text of labels.columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    line.append(cell);
  }
}
connect();
