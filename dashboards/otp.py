"""The funnel of one-time codes: asked for, handed over, delivered, used."""

from dashboards.board import Board
from dashboards.panel import Ask, Panel

_SUM = 'sum(rate(soc_otp_events_total{{event="{step}",outcome="success",unit=~"$unit"}}[$__rate_interval]))'


def _step(step: str) -> str:
    return _SUM.format(step=step)


BOARD = Board(
    "otp",
    ("Mã xác thực OTP", "One-time codes"),
    (
        "Công dân xin mã, tổng đài gửi, nhà mạng phát, công dân nhập: mã mất ở bước nào.",
        "Citizens ask, the gateway sends, carriers deliver, citizens enter: where codes get lost.",
    ),
    (
        Panel(
            ("Phễu OTP", "Funnel"),
            ("Số mã thành công mỗi giây ở từng bước.", "Codes a second that pass each step."),
            "time",
            "ops",
            "/series?q=otp",
            (
                Ask(_step("request"), "yêu cầu · requested"),
                Ask(_step("submit"), "gửi · sent"),
                Ask(_step("dlr"), "phát · delivered"),
                Ask(_step("verify"), "dùng · used"),
            ),
        ),
        Panel(
            ("Tỷ lệ phát theo nhà mạng", "Delivered by carrier"),
            (
                "Phần biên nhận thành công của từng nhà mạng trong 15 phút.",
                "Share of the final receipts of a carrier that say delivered, over 15 minutes.",
            ),
            "time",
            "percentunit",
            "/series?q=otp",
            (
                Ask(
                    'sum by (carrier) (rate(soc_otp_receipts_total{outcome="success"}[15m])) '
                    "/ sum by (carrier) (rate(soc_otp_receipts_total[15m]))",
                    "{{carrier}}",
                ),
            ),
        ),
        Panel(
            ("Mã được phát", "Codes delivered"),
            ("Phần mã gửi đi đã đến máy công dân.", "Share of the codes sent that arrive."),
            "stat",
            "percentunit",
            "/services",
            (Ask(f"{_step('dlr')} / {_step('submit')}"),),
            (0.95, 0.8),
        ),
        Panel(
            ("Mã được dùng", "Codes used"),
            ("Phần lần nhập mã thành công.", "Share of entered codes that are right and in time."),
            "stat",
            "percentunit",
            "/services",
            (
                Ask(
                    'sum(rate(soc_otp_events_total{event="verify",outcome="success",unit=~"$unit"}[30m])) '
                    '/ sum(rate(soc_otp_events_total{event="verify",unit=~"$unit"}[30m]))'
                ),
            ),
            (0.9, 0.7),
            empty="at night nobody enters a code on the demo while the test looks",
        ),
        Panel(
            ("Biên nhận lỗi theo nhà mạng", "Failed receipts by carrier"),
            ("Số mã không đến mỗi phút, theo nhà mạng.", "Codes a minute that did not arrive, by carrier."),
            "time",
            "short",
            "/anomalies",
            (Ask('60 * sum by (carrier) (rate(soc_otp_receipts_total{outcome="failure"}[5m]))', "{{carrier}}"),),
            stacked=True,
        ),
    ),
)
