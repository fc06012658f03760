"""What Prometheus is told."""

from prometheus_client import Counter, Gauge, Histogram

CALLBACKS = Counter("memberbot_callbacks_total", "Callbacks by answer", ["outcome"])
HANDLED = Counter("memberbot_messages_total", "Messages handled by intent", ["intent"])
SECONDS = Histogram(
    "memberbot_callback_seconds", "Seconds from callback to answer", buckets=(0.005, 0.02, 0.05, 0.1, 0.5, 1, 2, 4.5)
)
BATCH = Histogram("memberbot_batch_messages", "Messages committed together", buckets=(1, 2, 4, 8, 16, 32, 64))
WAITING = Gauge("memberbot_waiting_messages", "Callbacks waiting for the writer")
LATE = Counter("memberbot_late_replies_total", "Answers sent as customer-service messages after the deadline")
SENT = Counter("memberbot_deliveries_total", "Deliveries by channel and outcome", ["channel", "outcome"])
REQUESTS = Counter("memberbot_api_requests_total", "Requests of tills by route and status", ["route", "status"])
