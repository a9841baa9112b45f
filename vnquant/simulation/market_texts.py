"""Market texts: Vietnamese sentences about the index, the economy and regulation.

Placeholders: {points}, {index}, {date}, {quarter}, {year}. A text is (title, summary).
"""

from __future__ import annotations

from vnquant.simulation.headline_texts import Text

__all__ = ("MACRO_NOTES", "MARKET_DOWN", "MARKET_FLAT", "MARKET_UP")

MARKET_UP: tuple[Text, ...] = (
    (
        "Chứng khoán phiên {date}: VN-Index tăng {points} điểm, lên {index} điểm",
        (
            "Kết phiên {date}, VN-Index tăng {points} điểm lên {index} điểm. Sắc xanh lan tỏa ở nhiều "
            "nhóm ngành, dòng tiền nhập cuộc tích cực về cuối phiên."
        ),
    ),
    (
        "Lực cầu trở lại, VN-Index bật tăng {points} điểm",
        (
            "Lực cầu chủ động giúp VN-Index đóng cửa phiên {date} tại {index} điểm, tăng {points} điểm. "
            "Số mã tăng áp đảo số mã giảm."
        ),
    ),
)
MARKET_DOWN: tuple[Text, ...] = (
    (
        "Chứng khoán phiên {date}: VN-Index giảm {points} điểm, lùi về {index} điểm",
        (
            "Kết phiên {date}, VN-Index giảm {points} điểm xuống {index} điểm. Áp lực bán dâng cao về "
            "cuối phiên, sắc đỏ bao trùm nhiều nhóm ngành."
        ),
    ),
    (
        "Bên bán chiếm ưu thế, VN-Index mất {points} điểm",
        (
            "Áp lực chốt lời khiến VN-Index đóng cửa phiên {date} tại {index} điểm, mất {points} điểm. Số "
            "mã giảm áp đảo số mã tăng."
        ),
    ),
)
MARKET_FLAT: tuple[Text, ...] = (
    (
        "VN-Index giằng co, đóng cửa phiên {date} quanh mốc {index} điểm",
        (
            "Thị trường giằng co trong biên độ hẹp, VN-Index kết phiên {date} ở {index} điểm, gần như "
            "không đổi so với phiên trước. Thanh khoản ở mức trung bình."
        ),
    ),
)
MACRO_NOTES: tuple[Text, ...] = (
    (
        "Tỷ giá trung tâm ngày {date} đi ngang",
        (
            "Ngân hàng Nhà nước công bố tỷ giá trung tâm ngày {date} không thay đổi đáng kể so với phiên "
            "liền trước."
        ),
    ),
    (
        "Ngân hàng Nhà nước duy trì điều hành linh hoạt lãi suất trong quý {quarter}",
        (
            "Đại diện Ngân hàng Nhà nước cho biết tiếp tục điều hành chính sách tiền tệ chủ động, linh "
            "hoạt trong quý {quarter}/{year}."
        ),
    ),
    (
        "Giá vàng miếng ngày {date} ít biến động",
        "Giá vàng miếng trong nước sáng {date} ít biến động, chênh lệch mua bán được giữ nguyên.",
    ),
    (
        "Lịch sự kiện chứng khoán đáng chú ý tuần này",
        (
            "Tổng hợp lịch trả cổ tức, họp đại hội cổ đông và các sự kiện đáng chú ý của thị trường trong "
            "tuần."
        ),
    ),
    (
        "Bộ Tài chính lấy ý kiến sửa đổi quy định về công bố thông tin",
        (
            "Dự thảo thông tư sửa đổi quy định công bố thông tin trên thị trường chứng khoán đang được "
            "lấy ý kiến rộng rãi."
        ),
    ),
    (
        "Kim ngạch xuất nhập khẩu tháng được cập nhật ngày {date}",
        "Cơ quan thống kê cập nhật số liệu xuất nhập khẩu sơ bộ tính đến ngày {date}.",
    ),
    (
        "Giá xăng dầu trong nước điều chỉnh theo chu kỳ từ chiều {date}",
        (
            "Liên bộ Công Thương - Tài chính điều chỉnh giá bán lẻ xăng dầu theo chu kỳ điều hành từ "
            "chiều {date}."
        ),
    ),
    (
        "Giao dịch phái sinh phiên {date}: Thanh khoản quanh mức trung bình",
        "Khối lượng giao dịch hợp đồng tương lai chỉ số VN30 phiên {date} quanh mức trung bình của tháng.",
    ),
)
