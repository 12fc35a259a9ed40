// The explorer: the head of the chain, its blocks as they come, and a check of any block's certificate in this browser.

import { LianfenClient, LianfenError, resultText, u64 } from "./lianfen.js";

/** Rows that the list of blocks keeps. */
const ROWS_MAX = 20;
const PIN = "lianfen.genesis";
const LANGUAGE = "lianfen.language";

// MARK: Texts

const texts = {
  en: {
    title: "Lianfen explorer",
    skip: "Skip to the content",
    other: "中文",
    otherLabel: "切换到中文",
    connecting: "Connecting…",
    open: "Live",
    lost: "Stream lost",
    lostFull: "The live stream is lost. Blocks shown may be out of date; trying again by itself.",
    resumed: "The live stream is back. No block was missed.",
    searchLabel: "Transaction id or block height",
    search: "Search",
    searching: "Searching…",
    searchForm: "That is neither a block height (digits) nor a transaction id (64 hexadecimal digits).",
    searchNone: "No transaction has this id. Blocks are found by their height, not by their hash.",
    heightNone: (h) => `There is no certified block ${h}.`,
    chain: "Chain",
    height: "Height",
    quorum: "Quorum",
    quorumOf: (q, n) => `${q} of ${n}`,
    blockTime: "Block time",
    genesis: "Genesis",
    stateRoot: "State root",
    validators: "Validators",
    rules: "Rules",
    latest: "Latest blocks",
    pause: "Pause",
    resume: "Resume",
    newer: (n) => `Resume (${n} new)`,
    blocksNote: "Every block shown is final: a quorum of the validators has signed it.",
    transactions: (n) => (n === 0 ? "No transactions" : n === 1 ? "1 transaction" : `${n} transactions`),
    block: (h) => `Block ${h}`,
    transaction: "Transaction",
    back: "← All blocks",
    hash: "Hash",
    parent: "Parent",
    time: "Time",
    entry: "Entry",
    position: "Place",
    placeOf: (h, i) => `block ${h}, number ${i}`,
    kinds: "Operations",
    result: "Result",
    state: "State",
    states: { certified: "Certified", accepted: "Accepted, not yet certified", refused: "Refused" },
    id: "Id",
    done: "Done",
    refused: "Refused",
    earlier: "Earlier",
    later: "Later",
    inBlock: "Transactions",
    none: "This block carries no transactions. A quiet chain makes such blocks so that its clock goes on.",
    certificate: "Certificate",
    verify: "Verify in this browser",
    verifying: "Verifying…",
    verifyNote: "Nothing is taken on the node's word: hashes and signatures are computed here.",
    steps: {
      genesis: "The genesis is the one this browser knows",
      header: "The header gives the block's hash",
      headers: "The headers lead to the certified one",
      signatures: "Every signature matches",
      quorum: "A quorum of distinct validators signed",
    },
    genesisFirst: "First visit: this hash is remembered now, and compared from now on.",
    genesisSame: "Recomputed from its bytes, and equal to the hash remembered in this browser.",
    genesisBytes: (n) => `SHA-256 under its domain tag over ${n} bytes`,
    headerDetail: "Recomputed from the header's 276 bytes; the validators in it are those of the genesis.",
    headersOne: "The certificate names this very header.",
    headersMany: (n, h) => `${n} headers, each the parent of the next, up to the certified height ${h}.`,
    signedBy: (name, id) => `${name} (organisation\u00a0${id})`,
    quorumDetail: (s, q, n) => `${s} of ${n} validators signed, ${q} are needed; each stands once, in order.`,
    verdictGood: (h) => `Block ${h} is final: checked in this browser.`,
    verdictBad: "This does not hold. Do not rely on what this node shows.",
    verdictOpen: "The check could not be made.",
    beyond: "What this does not say: that the list of transactions above is whole. A receipt's proof shows a transaction.",
    hashDiffers: "The header's hash is not the one that the node listed for this block.",
    noCrypto: "This browser offers no Ed25519 here. Open the page by https or on this machine, in a current browser.",
    unreachable: "The node cannot be reached.",
    pinTitle: "This is not the chain that this browser knows",
    pinText: "The node serves a chain with another genesis than at your first visit. Either it was set up anew, or "
      + "somebody shows you another chain. Compare the new hash with one that you got from a member, by another way.",
    pinKnown: "Known",
    pinNow: "Served now",
    pinAccept: "I have compared it: remember the new genesis",
    copy: (what) => `Copy: ${what}`,
    copied: "Copied",
    foot: "This page comes from one node, and checks what it can by itself. Verified blocks are checked against the "
      + "genesis that this browser has remembered.",
    kind: {
      publish: "Publish terms", open: "Open accounts", "open-by-ticket": "Open by ticket", claim: "Claim",
      "add-credential": "Add key", "rotate-credential": "Rotate key", "revoke-credential": "Revoke key",
      accrue: "Accrue", vest: "Vest", void: "Void", "claw-back": "Claw back", transfer: "Transfer", redeem: "Redeem",
      reserve: "Reserve", commit: "Commit", release: "Release", freeze: "Freeze", unfreeze: "Unfreeze",
    },
  },
  zh: {
    title: "联分浏览器",
    skip: "跳到正文",
    other: "English",
    otherLabel: "Switch to English",
    connecting: "正在连接…",
    open: "实时",
    lost: "实时流中断",
    lostFull: "实时流已中断，所示区块可能不是最新，正在自动重试。",
    resumed: "实时流已恢复，未遗漏区块。",
    searchLabel: "交易编号或区块高度",
    search: "查询",
    searching: "正在查询…",
    searchForm: "既不是区块高度（数字），也不是交易编号（64 位十六进制）。",
    searchNone: "没有此编号的交易。区块请按高度查询，不能按哈希查询。",
    heightNone: (h) => `没有已认证的区块 ${h}。`,
    chain: "链",
    height: "高度",
    quorum: "法定数",
    quorumOf: (q, n) => `${q} / ${n}`,
    blockTime: "区块时间",
    genesis: "创世哈希",
    stateRoot: "状态根",
    validators: "验证方",
    rules: "规则版本",
    latest: "最新区块",
    pause: "暂停",
    resume: "继续",
    newer: (n) => `继续（${n} 个新区块）`,
    blocksNote: "所列区块均为最终：已有法定数的验证方签名。",
    transactions: (n) => (n === 0 ? "无交易" : `${n} 笔交易`),
    block: (h) => `区块 ${h}`,
    transaction: "交易",
    back: "← 全部区块",
    hash: "哈希",
    parent: "上一区块",
    time: "时间",
    entry: "排序条目",
    position: "位置",
    placeOf: (h, i) => `区块 ${h}，第 ${i} 笔`,
    kinds: "操作",
    result: "结果",
    state: "状态",
    states: { certified: "已认证", accepted: "已受理，尚未认证", refused: "已拒绝" },
    id: "编号",
    done: "已完成",
    refused: "已拒绝",
    earlier: "上一个",
    later: "下一个",
    inBlock: "交易",
    none: "此区块不含交易。链上空闲时仍会出块，以使时间前进。",
    certificate: "证书",
    verify: "在本浏览器中验证",
    verifying: "正在验证…",
    verifyNote: "不以节点所言为准：哈希与签名均在此计算。",
    steps: {
      genesis: "创世与本浏览器所知一致",
      header: "区块头算出该区块的哈希",
      headers: "各区块头相连至已签的区块头",
      signatures: "每个签名均相符",
      quorum: "达到法定数的不同验证方已签名",
    },
    genesisFirst: "首次访问：现记住此哈希，今后据此比对。",
    genesisSame: "由其字节重新算出，与本浏览器记住的哈希相同。",
    genesisBytes: (n) => `带域标签的 SHA-256，共 ${n} 字节`,
    headerDetail: "由区块头的 276 字节重新算出；其中的验证方即创世所列。",
    headersOne: "证书所指即此区块头。",
    headersMany: (n, h) => `共 ${n} 个区块头，前后相连，直至已签的高度 ${h}。`,
    signedBy: (name, id) => `${name}（机构\u00a0${id}）`,
    quorumDetail: (s, q, n) => `${n} 个验证方中有 ${s} 个签名，需要 ${q} 个；各仅一次，次序正确。`,
    verdictGood: (h) => `区块 ${h} 为最终区块，已在本浏览器中验证。`,
    verdictBad: "验证不成立，请勿依赖此节点所示内容。",
    verdictOpen: "未能完成验证。",
    beyond: "此验证不说明上列交易是否完整；单笔交易由其回执证明来验证。",
    hashDiffers: "区块头的哈希与节点所列的不同。",
    noCrypto: "此处浏览器不提供 Ed25519。请以 https 或在本机打开，并使用较新的浏览器。",
    unreachable: "无法连接节点。",
    pinTitle: "这不是本浏览器所知的链",
    pinText: "节点所提供的链，其创世与您首次访问时不同。或因重新建链，或有人向您展示另一条链。"
      + "请通过其他途径向成员机构核对新的哈希。",
    pinKnown: "原先记住",
    pinNow: "现在提供",
    pinAccept: "已核对：记住新的创世",
    copy: (what) => `复制：${what}`,
    copied: "已复制",
    foot: "本页由单个节点提供，并尽量自行验证；区块依据本浏览器记住的创世进行验证。",
    kind: {
      publish: "发布规则", open: "开户", "open-by-ticket": "凭据开户", claim: "认领", "add-credential": "添加密钥",
      "rotate-credential": "更换密钥", "revoke-credential": "撤销密钥", accrue: "发放", vest: "生效", void: "作废",
      "claw-back": "扣回", transfer: "转账", redeem: "兑换", reserve: "冻结积分", commit: "确认使用", release: "释放积分",
      freeze: "冻结账户", unfreeze: "解冻账户",
    },
  },
};

/** Remembers in this browser where it may, and for this visit where it may not. */
const memory = {
  kept: new Map(),
  get(name) {
    try { return localStorage.getItem(name) ?? this.kept.get(name) ?? null; } catch { return this.kept.get(name) ?? null; }
  },
  set(name, value) {
    this.kept.set(name, value);
    try { localStorage.setItem(name, value); } catch { /* for this visit only */ }
  },
};

let language = memory.get(LANGUAGE) ?? (navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en");
if (!texts[language]) language = "en";
const t = (name) => texts[language][name];

// MARK: Pieces

const $ = (id) => document.getElementById(id);

/** An element with attributes and children; texts are never markup. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "click") element.addEventListener("click", value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function drawing(...paths) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  for (const path of paths) {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
    shape.setAttribute("d", path);
    svg.append(shape);
  }
  return svg;
}

const marks = {
  waiting: ["M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11z"],
  done: ["M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12z", "M5.4 8.3l1.8 1.8 3.4-3.9"],
  failed: ["M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12z", "M6 6l4 4M10 6l-4 4"],
};

const shorten = (text) => (text.length > 20 ? `${text.slice(0, 8)}…${text.slice(-8)}` : text);

/** A long id, cut in the middle, whole in its title and by its button. */
function copyable(value, label, href = null) {
  const button = make("button", { type: "button", class: "copy", "aria-label": t("copy")(label), title: t("copy")(label) },
    drawing("M5.5 5.5h8v8h-8z", "M10.5 5.5v-3h-8v8h3"));
  button.addEventListener("click", async () => {
    await copy(value);
    button.classList.add("done");
    button.replaceChildren(drawing("M3 8.5l3.2 3.2L13 4.6"));
    say(t("copied"));
    setTimeout(() => {
      button.classList.remove("done");
      button.replaceChildren(drawing("M5.5 5.5h8v8h-8z", "M10.5 5.5v-3h-8v8h3"));
    }, 1500);
  });
  const code = make("code", { title: value }, shorten(value));
  return make("span", { class: "id" }, href ? make("a", { href }, code) : code, button);
}

async function copy(value) {
  try {
    await navigator.clipboard.writeText(value);
  } catch {
    // Only pages over TLS may use the clipboard; the older way needs a selection.
    const area = make("textarea", { class: "unseen" });
    area.value = value;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** What a screen reader says, once; the page itself never speaks block by block. */
function say(text) { $("spoken").textContent = text; }

const fact = (name, ...value) => make("div", {}, make("dt", {}, name), make("dd", {}, ...value));

function shownTime(milliseconds, style = {}) {
  const date = new Date(Number(milliseconds));
  return new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
    hourCycle: "h23", ...style,
  }).format(date);
}
const clock = (milliseconds) => shownTime(milliseconds, { year: undefined, month: undefined, day: undefined });
const isoTime = (milliseconds) => new Date(Number(milliseconds)).toISOString();

const kindTags = (kinds) => make("ul", { class: "tags" },
  ...kinds.map((kind) => make("li", { class: "tag" }, t("kind")[kind] ?? kind)));

function resultMark({ code, result }) {
  const refused = code >= 10;
  const text = refused ? `${t("refused")}${language === "zh" ? "：" : ": "}${result}` : code === 0 ? t("done") : result;
  return make("span", { class: `result${refused ? " refused" : ""}`, title: resultText(code, language) }, text);
}

const errorText = (error) => {
  if (error?.code === "crypto-unavailable") return t("noCrypto");
  if (["unreachable", "timeout"].includes(error?.code)) return t("unreachable");
  return error instanceof LianfenError ? error.text(language) : String(error?.message ?? error);
};

// MARK: The head

// This client takes the chain as the node has it; what is verified is verified against the pinned genesis, by another.
const client = new LianfenClient(location.origin, { attemptsMax: 3 });
/** The chain as the node serves it; the node's last word on where it stands; the newest block. */
let served = null;
let status = null;
let head = null;

const organisationName = (id) => served?.genesis.organisations.find((o) => o.id === id)?.name ?? `#${id}`;

function renderHead() {
  if (status) {
    $("chain-name").textContent = status.chain;
    $("quorum").textContent = t("quorumOf")(status.quorum, status.validators);
  }
  if (head) renderHeight();
  if (!served) return;
  const validators = make("ul", { class: "tags" },
    ...served.validators.map((v) => make("li", { class: "tag" }, organisationName(v.organisation))));
  $("head-facts").replaceChildren(
    fact(t("stateRoot"), make("span", { id: "state-root" })),
    fact(t("genesis"), copyable(served.hash, t("genesis"))),
    fact(t("validators"), validators));
  renderStateRoot();
}

function renderHeight() {
  const { height, time } = head.header;
  $("height").textContent = height;
  $("time").textContent = shownTime(time);
  $("time").dateTime = isoTime(time);
  renderStateRoot();
}

/** The button stays the same one while the root changes under it, so that a click in between is not lost. */
function renderStateRoot() {
  const place = $("state-root");
  if (!place || !head) return;
  if (!place.firstChild) {
    const button = make("button", { type: "button", class: "copy", "aria-label": t("copy")(t("stateRoot")),
      title: t("copy")(t("stateRoot")), click: async () => { await copy(head.header.state); say(t("copied")); } },
    drawing("M5.5 5.5h8v8h-8z", "M10.5 5.5v-3h-8v8h3"));
    place.className = "id";
    place.append(make("code", {}), button);
  }
  place.firstChild.textContent = shorten(head.header.state);
  place.firstChild.title = head.header.state;
}

// MARK: The list

let paused = false;
/** Newest first, at most {@link ROWS_MAX}: what the list shows, or will show once it goes on. */
let recent = [];
/** Blocks that came since the list was paused. */
let unseen = 0;
let frame = null;

function row(block) {
  const count = block.transactions.length;
  const { height, time } = block.header;
  const link = make("a", { href: `#/block/${height}` },
    make("span", { class: "height" }, height),
    make("span", { class: count === 0 ? "count none" : "count" }, t("transactions")(count)),
    make("code", { class: "hash" }, shorten(block.hash)),
    make("time", { class: "when", datetime: isoTime(time) }, clock(time)));
  const item = make("li", {}, link);
  item.dataset.hash = block.hash;
  return item;
}

/** Brings the list to what it should be: rows that stay are not touched, so that nothing flickers or loses the focus. */
function renderBlocks({ fresh = false } = {}) {
  const list = $("blocks");
  if (fresh) list.replaceChildren();
  const wanted = new Set(recent.map((block) => block.hash));
  const focused = list.contains(document.activeElement) ? document.activeElement.closest("li") : null;
  for (const item of [...list.children]) if (!wanted.has(item.dataset.hash) && item !== focused) item.remove();
  const there = new Set([...list.children].map((item) => item.dataset.hash));
  const news = recent.filter((block) => !there.has(block.hash));
  const before = list.firstChild;
  for (const block of news) {
    const item = row(block);
    // Many at once are not worth a flourish.
    if (!fresh && news.length <= 2 && there.size > 0) item.classList.add("new");
    list.insertBefore(item, before);
  }
}

function schedule() {
  frame ??= requestAnimationFrame(() => {
    frame = null;
    renderHeight();
    if (paused) renderPause();
    else renderBlocks();
  });
}

function take(block) {
  if (head && u64(block.header.height) <= u64(head.header.height)) return;
  head = block;
  recent = [block, ...recent].slice(0, ROWS_MAX);
  if (paused) unseen += 1;
  schedule();
}

function renderPause() {
  const button = $("pause");
  button.textContent = !paused ? t("pause") : unseen > 0 ? t("newer")(unseen) : t("resume");
  button.setAttribute("aria-pressed", String(paused));
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  unseen = 0;
  renderPause();
  if (!paused) renderBlocks();
});

// MARK: The stream

let link = "connecting";

function renderLink() {
  $("link").dataset.state = link;
  $("link-text").textContent = t(link);
  $("trouble").hidden = link !== "lost";
  $("trouble").textContent = link === "lost" ? t("lostFull") : "";
}

function setLink(state) {
  if (state === link) return;
  if (state === "lost") say(t("lostFull"));
  if (state === "open" && link === "lost") say(t("resumed"));
  link = state;
  renderLink();
}

/** Everything that is shown of the chain, once it can be had; then the stream, for ever. */
async function follow() {
  for (let wait = 500; ; wait = Math.min(10_000, 2 * wait)) {
    try {
      await load();
      break;
    } catch (error) {
      setLink("lost");
      console.warn(error);
      await new Promise((resolve) => { setTimeout(resolve, wait * (0.5 + Math.random() / 2)); });
    }
  }
  for (;;) {
    try {
      for await (const { event, data } of client.events({ after: head?.header.height ?? null, onState: setLink })) {
        if (event === "block") take(data);
      }
    } catch (error) {
      // A refusal that the client does not try again by itself: a page has nothing better to do.
      setLink("lost");
      console.warn(error);
      await new Promise((resolve) => { setTimeout(resolve, 10_000); });
    }
  }
}

async function load() {
  const [now, page, chain] = await Promise.all([client.status(), client.blocks({ limit: ROWS_MAX }), client.chain()]);
  status = now;
  served = chain;
  recent = page.items.slice(0, ROWS_MAX);
  head = recent[0] ?? null;
  checkPin();
  renderHead();
  renderBlocks({ fresh: true });
}

// MARK: The pinned genesis

/** The genesis hash that this browser goes by; remembered at the first visit. */
function checkPin() {
  const known = memory.get(PIN);
  if (known === null) memory.set(PIN, served.hash);
  $("pin-warning").hidden = known === null || known === served.hash;
  if ($("pin-warning").hidden) return;
  $("pin-warning").replaceChildren(
    make("h2", {}, t("pinTitle")),
    make("p", {}, t("pinText")),
    make("dl", { class: "facts" }, fact(t("pinKnown"), copyable(known, t("pinKnown"))),
      fact(t("pinNow"), copyable(served.hash, t("pinNow")))),
    make("button", { type: "button", class: "plain", click: () => {
      memory.set(PIN, served.hash);
      checkPin();
      $("main").focus();
    } }, t("pinAccept")));
}

// MARK: One block

let detail = null;

async function showBlock(height, current) {
  const { block } = await client.block(height);
  if (!current()) return;
  const { header } = block;
  const number = u64(header.height);
  const around = make("p", { class: "steps-of" },
    number > 0n ? make("a", { href: `#/block/${number - 1n}` }, t("earlier")) : null,
    make("a", { href: `#/block/${number + 1n}` }, t("later")));
  const facts = make("dl", { class: "facts" },
    fact(t("time"), make("time", { datetime: isoTime(header.time) }, shownTime(header.time))),
    fact(t("hash"), copyable(block.hash, t("hash"))),
    fact(t("parent"), copyable(header.parent, t("parent"), number > 0n ? `#/block/${number - 1n}` : null)),
    fact(t("stateRoot"), copyable(header.state, t("stateRoot"))),
    fact(t("entry"), copyable(header.entry, t("entry"))));
  const list = block.transactions.length === 0
    ? make("p", { class: "card note" }, t("none"))
    : make("ol", { class: "transactions" }, ...block.transactions.map((transaction) => make("li", {},
      copyable(transaction.id, t("id"), `#/transaction/${transaction.id}`), resultMark(transaction),
      kindTags(transaction.kinds))));
  present(t("block")(header.height), around,
    make("div", { class: "card" }, facts),
    make("section", { class: "part", "aria-labelledby": "in-block" },
      make("h2", { id: "in-block" }, t("inBlock")), list),
    verifier(block));
}

async function showTransaction(id, current) {
  const { transaction } = await client.transaction(id);
  if (!current()) return;
  const { place } = transaction;
  const facts = make("dl", { class: "facts" },
    fact(t("id"), copyable(transaction.id, t("id"))),
    fact(t("state"), t("states")[transaction.state] ?? transaction.state),
    fact(t("kinds"), kindTags(transaction.kinds ?? [])),
    transaction.result ? fact(t("result"), resultMark(transaction), make("p", { class: "note" },
      resultText(transaction.code, language))) : null,
    place ? fact(t("position"), make("a", { href: `#/block/${place.height}` },
      t("placeOf")(place.height, place.index + 1))) : null,
    transaction.time ? fact(t("time"), shownTime(transaction.time)) : null);
  const block = place ? (await client.block(place.height)).block : null;
  if (!current()) return;
  present(t("transaction"), null, make("div", { class: "card" }, facts), block ? verifier(block) : null);
}

/** Shows a page of its own, with the focus on its title. */
function present(title, beside, ...parts) {
  const heading = make("h1", { tabindex: "-1" }, title);
  $("view-detail").replaceChildren(
    make("a", { class: "back", href: "#/" }, t("back")),
    make("div", { class: "detail-title" }, heading, beside),
    ...parts.filter((part) => part !== null));
  $("view-detail").hidden = false;
  $("view-head").hidden = true;
  document.title = `${title} · ${t("title")}`;
  heading.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

// MARK: Verifying

const STEPS = ["genesis", "header", "headers", "signatures", "quorum"];

function verifier(block) {
  const button = make("button", { type: "button", class: "main" }, t("verify"));
  const steps = make("ol", { class: "steps", hidden: true });
  const verdict = make("div");
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = t("verifying");
    steps.hidden = false;
    try {
      await verify(block, steps, verdict);
    } finally {
      button.disabled = false;
      button.textContent = t("verify");
    }
  });
  return make("section", { class: "part card", "aria-labelledby": "certificate" },
    make("h2", { id: "certificate" }, t("certificate")),
    make("div", { class: "verify-line" }, button, make("p", { class: "note" }, t("verifyNote"))), steps, verdict);
}

/** The check itself, with a client that knows nothing but the pinned genesis hash. */
async function verify(block, list, verdict) {
  verdict.replaceChildren();
  const items = new Map(STEPS.map((name) => [name, make("li", { "data-state": "waiting" },
    make("span", { class: "mark" }, drawing(...marks.waiting)),
    make("div", {}, make("h3", {}, t("steps")[name]), make("div", { class: "detail" })))]));
  list.replaceChildren(...items.values());
  const add = (name, ...children) => items.get(name).querySelector(".detail").append(make("p", {}, ...children));
  const set = (name, state) => {
    items.get(name).dataset.state = state;
    items.get(name).querySelector(".mark").replaceChildren(drawing(...marks[state]));
  };
  let at = "genesis";
  try {
    const known = memory.get(PIN);
    const first = known === null || sessionFirst;
    const checker = new LianfenClient(location.origin, { genesis: known, attemptsMax: 3 });
    const chain = await checker.chain();
    if (known === null) memory.set(PIN, chain.hash);
    add("genesis", copyable(chain.hash, t("genesis")), ` ${t("genesisBytes")(chain.bytes.length)}`);
    add("genesis", first ? t("genesisFirst") : t("genesisSame"));
    set("genesis", "done");
    at = "header";
    const found = await checker.verifiedHeader(block.header.height, (step, value) => {
      if (step === "header") {
        add("header", copyable(value.hash, t("hash")));
        if (value.hash !== block.hash) throw new LianfenError("hash-differs", t("hashDiffers"));
        at = "headers";
      }
      if (step === "headers") {
        add("headers", value.headers.length === 1 ? t("headersOne")
          : t("headersMany")(value.headers.length, value.certificate.height));
      }
      if (step === "signature") {
        if (at === "headers") {
          add("header", t("headerDetail"));
          set("header", "done");
          set("headers", "done");
          at = "signatures";
        }
        const { organisation, key } = value.validator;
        add("signatures", `${t("signedBy")(organisationName(organisation), organisation)} `, make("code", { title: key },
          shorten(key)));
      }
    });
    set("signatures", "done");
    at = "quorum";
    add("quorum", t("quorumDetail")(found.certificate.signatures.length, chain.quorum, chain.validators.length));
    set("quorum", "done");
    conclude(verdict, "good", t("verdictGood")(block.header.height));
    verdict.append(make("p", { class: "note" }, t("beyond")));
  } catch (error) {
    // A certificate is looked at as a whole before its signatures: count and order are the last step's.
    if (["quorumMissed", "signerTwice"].includes(error.refusal)) at = "quorum";
    else if (error.code === "certificate-invalid" || error.code === "crypto-unavailable") at = "signatures";
    else if (error.refusal === "validators") at = "header";
    set(at, "failed");
    add(at, errorText(error));
    const open = error instanceof LianfenError && (error.retryable || error.code === "crypto-unavailable");
    conclude(verdict, "bad", open ? t("verdictOpen") : t("verdictBad"));
  }
}

function conclude(place, kind, text) {
  place.replaceChildren(make("p", { class: `verdict ${kind}` }, text));
  say(text);
}

// MARK: Ways

/** Whether the genesis was first seen in this visit. */
const sessionFirst = memory.get(PIN) === null;

async function route() {
  const [, kind, value] = location.hash.match(/^#\/(block|transaction)\/([0-9a-f]+)$/) ?? [];
  const here = {};
  detail = here;
  $("search-note").textContent = "";
  if (!kind) {
    $("view-detail").hidden = true;
    $("view-detail").replaceChildren();
    $("view-head").hidden = false;
    document.title = t("title");
    return;
  }
  const current = () => detail === here;
  try {
    if (kind === "block") await showBlock(value, current);
    else await showTransaction(value, current);
  } catch (error) {
    if (!current()) return;
    const text = error.status === 404 && kind === "block" ? t("heightNone")(value) : errorText(error);
    present(kind === "block" ? t("block")(value) : t("transaction"), null, make("p", { class: "notice" }, text));
    say(text);
  }
}

/** Where a search leads: digits are a block's height, 64 hexadecimal ones a transaction. No node looks up a hash. */
async function find(query) {
  if (/^(?:0|[1-9][0-9]{0,18})$/.test(query)) return `#/block/${query}`;
  if (!/^[0-9a-f]{64}$/.test(query)) throw new LianfenError("search-form", t("searchForm"));
  try {
    await client.transaction(query);
    return `#/transaction/${query}`;
  } catch (error) {
    if (error.status !== 404) throw error;
    throw new LianfenError("search-none", t("searchNone"));
  }
}

$("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const note = $("search-note");
  const query = $("query").value.trim().toLowerCase();
  if (query === "") return;
  note.textContent = t("searching");
  try {
    const way = await find(query);
    note.textContent = "";
    if (location.hash === way) route();
    else location.hash = way;
  } catch (error) {
    note.textContent = errorText(error);
    say(note.textContent);
  }
});

// MARK: Language

function renderLanguage() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  $("language").textContent = t("other");
  $("language").setAttribute("aria-label", t("otherLabel"));
  $("language").lang = language === "zh" ? "en" : "zh-CN";
  renderLink();
  renderPause();
  renderHead();
  if (served) checkPin();
  if (recent.length > 0) renderBlocks({ fresh: true });
}

$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  memory.set(LANGUAGE, language);
  renderLanguage();
  route();
  $("language").focus();
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});

window.addEventListener("hashchange", route);
renderLanguage();
route();
follow();
