"""The systems of local government that are watched: the columns of the coverage matrix."""

from __future__ import annotations

from collections.abc import Mapping

# Key -> name by language.
SYSTEMS: Mapping[str, Mapping[str, str]] = {
    "portal": {"vi": "Cổng dịch vụ công", "en": "Public service portal"},
    "motcua": {"vi": "Hệ thống một cửa", "en": "Procedures system"},
    "otp": {"vi": "OTP", "en": "OTP"},
    "lgsp": {"vi": "Nền tảng LGSP", "en": "LGSP platform"},
    "dancu": {"vi": "CSDL dân cư", "en": "Population database"},
    "hotich": {"vi": "Hộ tịch", "en": "Civil registration"},
    "lienthong": {"vi": "Thủ tục liên thông", "en": "Interlinked procedures"},
    "datdai": {"vi": "Đất đai", "en": "Land database"},
    "vanban": {"vi": "Văn bản, chữ ký số", "en": "Documents and signing"},
    "vneid": {"vi": "VNeID, SSO", "en": "VNeID and SSO"},
    "payment": {"vi": "Thanh toán trực tuyến", "en": "Online payment"},
    "tslcd": {"vi": "Mạng TSLCD", "en": "Dedicated network"},
    "mail": {"vi": "Thư công vụ", "en": "Official mail"},
    "hop": {"vi": "Họp trực tuyến", "en": "Video conferencing"},
    "csdlqg": {"vi": "CSDL quốc gia khác", "en": "Other national databases"},
    "ioc": {"vi": "IOC, máy chủ", "en": "IOC and servers"},
}
_PORTAL, _SERVERS = "portal", "ioc"
_OF_DATASET = {"otp.gateway": "otp", "lgsp.gateway": "lgsp"}


def system_of(dataset: str) -> str:
    """The system that logs of a type are most often of; an administrator may say otherwise of a source."""
    if dataset.startswith(("nginx.", "apache.")):
        return _PORTAL
    return _OF_DATASET.get(dataset, _SERVERS)
