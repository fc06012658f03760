/** Times, amounts and names as a Chinese reader writes them. Business time is Asia/Shanghai. */

const ZONE = "Asia/Shanghai";
const ZONE_OFFSET = "+08:00";
const DAY_MS = 86400000;
const FIELDS = new Intl.DateTimeFormat("en-US", {
  timeZone: ZONE, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const WEEKDAYS = ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"];

/** Milliseconds of an ISO instant (UTC when it names no zone) or of Unix seconds. */
export function instant(value) {
  if (typeof value === "number") return value * 1000;
  const text = String(value ?? "");
  return Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
}

function civil(ms) {
  const found = Object.fromEntries(FIELDS.formatToParts(new Date(ms)).map((part) => [part.type, part.value]));
  const day = Date.UTC(+found.year, +found.month - 1, +found.day) / DAY_MS;
  return { ...found, dayNumber: day, clock: `${found.hour}:${found.minute}` };
}

/** The grey line above messages: 14:05, 昨天 14:05, 星期三 14:05, 2026年1月8日 14:05. */
export function chatTime(ms, nowMs) {
  const then = civil(ms);
  const today = civil(nowMs);
  const age = today.dayNumber - then.dayNumber;
  if (age === 0) return then.clock;
  if (age === 1) return `昨天 ${then.clock}`;
  if (age > 1 && age < 7) return `${WEEKDAYS[(then.dayNumber + 4) % 7]} ${then.clock}`;
  const year = then.year === today.year ? "" : `${then.year}年`;
  return `${year}${+then.month}月${+then.day}日 ${then.clock}`;
}

export function clockTime(ms) {
  return civil(ms).clock;
}

export function fullTime(ms) {
  const at = civil(ms);
  return `${at.year}-${at.month}-${at.day} ${at.clock}:${at.second}`;
}

export function shortTime(ms) {
  const at = civil(ms);
  return `${at.month}-${at.day} ${at.clock}`;
}

/** The value of a datetime-local input, and back to an ISO instant. */
export const toLocalInput = (ms) => fullTime(ms).replace(" ", "T");
export const fromLocalInput = (text) => `${text.length === 16 ? `${text}:00` : text}${ZONE_OFFSET}`;

const ACCOUNTS = [
  [/point|积分/i, "积分", 1],
  [/principal|本金/i, "储值本金", 100],
  [/gift|bonus|赠/i, "赠送金", 100],
  [/cash|balance|stored|revenue|liab|余额|储值|现金/i, "储值", 100],
  [/coupon|券/i, "优惠券", 1],
];

/** Chinese name of a book account and how many of its units make one shown unit (分 → 元). */
export function account(name) {
  const text = String(name ?? "");
  const found = ACCOUNTS.find(([pattern]) => pattern.test(text));
  if (!found) return { name: text || "—", scale: 1 };
  return { name: /[一-鿿]/.test(text) ? text : found[1], scale: found[2], raw: text };
}

/** An integer amount in its account's unit; text that the server already formatted stays as it is. */
export function amount(value, scale, { signed = false } = {}) {
  if (value === null || value === undefined) return "—";
  if (typeof value !== "number") return String(value);
  const sign = value < 0 ? "−" : signed && value > 0 ? "+" : "";
  const size = Math.abs(value);
  if (scale === 1) return `${sign}${size.toLocaleString("zh-CN")}`;
  const yuan = (size / scale).toLocaleString("zh-CN", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return `${sign}¥${yuan}`;
}

/** True for a negative amount, as a number or as text. */
export const isLess = (value) => (typeof value === "number" ? value < 0 : /^\s*[-−]/.test(String(value ?? "")));

const MOVEMENTS = {
  earn: "积分入账", earned: "积分入账", redeem: "兑换", spend: "消费", expire: "过期", expired: "过期", topup: "充值",
  top_up: "充值", gift: "赠送", refund: "退款", reverse: "冲正", reversal: "冲正", adjust: "调整", bind: "绑定",
  import: "导入", opening: "期初", order: "消费", sale: "消费", purchase: "消费", checkin: "签到", check_in: "签到",
  voucher: "换券", transfer: "转移", merge: "合并",
};

/** Chinese name of a kind of book movement; unknown kinds stay as they are. */
export function movement(kind) {
  const text = String(kind ?? "");
  return text.startsWith("reverse_") ? `冲正:${movement(text.slice(8))}` : MOVEMENTS[text] ?? text;
}

const CHANNELS = {
  passive: "随回复", reply: "随回复", next_reply: "随下次回复", next_message: "随下次回复", service: "客服消息", custom: "客服消息",
  template: "模板消息", subscription: "订阅通知", subscribe: "订阅通知", mass: "群发", sms: "短信",
  staff: "店员任务", staff_task: "店员任务", none: "未发送",
};
const STATES = {
  planned: "已计划", pending: "待发送", claimed: "发送中", queued: "待发送", due: "待发送", waiting: "等下次消息", held: "等下次消息",
  handed_over: "已捎带", carried: "已捎带", piggybacked: "已捎带", sending: "发送中", accepted: "平台已受理",
  retry: "稍后再试", refused: "平台拒绝", sent: "已发送", delivered: "已送达", failed: "失败", unknown: "结果不明", expired: "已过期", cancelled: "已取消",
  canceled: "已取消", suppressed: "已拦下", skipped: "已跳过", blocked: "已拦下", dropped: "已放弃", opted_out: "已退订",
};

const PURPOSES = { code: "验证码", notice: "通知", late_reply: "补发的回复", reminder: "提醒", marketing: "活动" };

/** What a message is for, where no campaign names it. */
export const purpose = (kind) => PURPOSES[kind] ?? String(kind || "—");

/** Chinese name and colour class of a channel. */
export function channel(name) {
  const key = String(name || "none").toLowerCase();
  return { name: CHANNELS[key] ?? String(name), tone: /^[a-z_]+$/.test(key) ? key : "other" };
}

export function sendState(name) {
  const key = String(name ?? "").toLowerCase();
  const good = ["sent", "delivered", "accepted", "handed_over", "carried", "piggybacked"].includes(key);
  const bad = ["failed", "unknown", "blocked", "dropped", "suppressed", "refused"].includes(key);
  return { name: STATES[key] ?? String(name ?? ""), tone: good ? "good" : bad ? "bad" : "calm" };
}

export const VIA = {
  service: "客服消息", template: "服务通知", subscription: "订阅消息", mass: "群发消息", sms: "短信",
};

export const MODES = { plain: "明文", compatible: "兼容", aes: "安全(加密)" };
