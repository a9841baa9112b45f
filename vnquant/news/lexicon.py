"""Lexicon: the words of Vietnamese market news and what they mean to a holder of the stock.

Written from the language of the trade (cafef.vn, vietstock.vn headlines), weights by judgement: about 0.5 for
a mild word, 1 for a clear one, 2 for one that empties a board. Phrases are matched before their words, so
"lãi suất" (interest rate) is not "lãi" (profit), nor "lỗ hổng" (loophole) "lỗ" (loss).
"""

from __future__ import annotations

__all__ = ("BURDENS", "INTENSIFIERS", "NEGATIONS", "POLARITY", "REDUCERS", "RISERS", "ROUTINE")

POLARITY: dict[str, float] = {
    # results
    "lãi": 0.5, "lãi ròng": 0.6, "có lãi": 0.8, "báo lãi": 0.7, "báo lãi lớn": 1.5, "lãi lớn": 1.4,
    "lãi đậm": 1.4, "lãi kỷ lục": 2.0, "lãi khủng": 1.4, "thoát lỗ": 1.4, "hết lỗ": 1.2, "đột biến": 0.8,
    "ăn nên làm ra": 1.2, "hoàn thành": 0.6, "hoàn tất": 0.4, "vượt kế hoạch": 1.2, "vượt chỉ tiêu": 1.2,
    "về đích": 0.8, "đạt": 0.3, "thắng lớn": 1.3, "lỗ": -1.4, "thua lỗ": -1.7, "lỗ ròng": -1.7,
    "lỗ nặng": -1.9, "lỗ lũy kế": -1.7, "lỗ luỹ kế": -1.7, "báo lỗ": -1.7, "vỏn vẹn": -0.9, "âm vốn": -1.8,
    "đang âm": -1.2, "hụt thu": -1.0, "bào mòn": -0.9, "phân nửa": -0.5, "lãi suất": 0.0, "lãi vay": 0.0,
    "lỗ hổng": -0.6, "chốt lãi": 0.0, "chốt lời": -0.2, "đi ngang": 0.0, "lời khuyên": 0.0,
    "lên tiếng": 0.0, "lợi nhuận": 0.1,
    # moves
    "tăng trưởng": 0.9, "tăng trần": 1.8, "tăng vọt": 1.5, "tăng tốc": 0.8, "tăng điểm": 0.8,
    "tăng vốn": 0.6, "tăng giá": 0.7, "kịch trần": 1.8, "tím trần": 1.8, "bứt phá": 1.3, "bật tăng": 1.3,
    "khởi sắc": 1.2, "phục hồi": 1.0, "hồi phục": 1.0, "thăng hoa": 1.3, "vượt đỉnh": 1.3, "lập đỉnh": 1.2,
    "đỉnh cao mới": 1.3, "phá đỉnh": 1.3, "dậy sóng": 0.6, "nổi sóng": 0.7, "cất cánh": 0.8, "vượt": 0.6,
    "chinh phục": 0.9, "cao nhất": 0.8, "kỷ lục": 0.7, "đi lên": 0.6, "nhịp tăng": 0.7, "đà tăng": 0.8,
    "lên mốc": 0.6, "sắc xanh": 0.8, "giảm sàn": -1.8, "nằm sàn": -1.8, "lao dốc": -1.7, "sụt giảm": -1.3,
    "tụt dốc": -1.4, "rơi": -0.7, "giảm điểm": -0.9, "mất điểm": -0.9, "mất": -0.5, "bên bán": -0.5,
    "bên mua": 0.5, "lực cầu": 0.5, "mất mốc": -1.2, "thủng": -1.1, "bốc hơi": -1.4, "lùi về": -0.9,
    "đỏ lửa": -1.2, "sắc đỏ": -0.8, "đỏ sàn": -1.4, "điều chỉnh": -0.4, "rung lắc": -0.4, "thấp nhất": -0.9,
    "đáy": -0.4, "chấm dứt chuỗi": -0.8, "đà giảm": -0.8, "sập": -1.2, "chao đảo": -1.0, "hụt hơi": -0.8,
    "đi lùi": -1.0,
    # flows and holders
    "mua ròng": 1.3, "chào mua công khai": 1.3, "cao hơn thị trường": 0.5, "gom": 0.7, "mua vào": 0.7,
    "mua thêm": 0.9, "đăng ký mua": 1.0, "mua cổ phiếu quỹ": 1.0, "cổ phiếu quỹ": 0.2, "nâng sở hữu": 0.8,
    "dòng vốn": 0.4, "rót": 0.6, "hút vốn": 0.7, "nâng room": 0.9, "nâng đỡ": 0.6, "dẫn dắt": 0.6,
    "trỗi dậy": 0.8, "lọt rổ": 0.9, "vào rổ": 0.7, "nâng hạng": 1.4, "cổ đông chiến lược": 0.7,
    "bán ròng": -1.3, "rút ròng": -1.3, "bán tháo": -1.8, "bán mạnh": -1.2, "xả": -0.9, "đăng ký bán": -1.1,
    "bán ra": -0.9, "bán hết": -1.0, "bán bớt": -0.8, "muốn bán": -0.8, "chào bán": 0.2, "mở bán": 0.4,
    "bán giải chấp": -1.7, "giải chấp": -1.6, "áp lực bán": -1.2, "loại khỏi rổ": -1.1,
    "cháy tài khoản": -1.6, "bán tài sản": -0.8,
    # payouts, capital, business
    "cổ tức": 0.8, "trả cổ tức": 0.9, "chia cổ tức": 0.9, "cổ phiếu thưởng": 0.9, "chia thưởng": 0.9,
    "trúng thầu": 1.5, "ký hợp đồng": 1.0, "hợp đồng lớn": 1.1, "chấp thuận": 0.7, "phê duyệt": 0.6,
    "mở rộng": 0.6, "khởi công": 0.6, "ra mắt": 0.4, "hợp tác": 0.5, "bắt tay": 0.5, "hưởng lợi": 1.0,
    "tích cực": 1.0, "khả quan": 1.0, "triển vọng": 0.6, "tiềm năng": 0.5, "động lực": 0.6, "cơ hội": 0.4,
    "dẫn đầu": 0.7, "thành công": 0.8, "ủng hộ": 0.6, "sôi động": 0.7, "khỏe": 0.5, "hấp dẫn": 0.6,
    "khuyến nghị mua": 1.0, "chậm trả cổ tức": -1.2, "lùi cổ tức": -1.0, "hủy cổ tức": -1.2,
    "không chia cổ tức": -0.9, "lọt top": 0.6, "vinh danh": 0.6, "lùi tiến độ": -0.9, "chậm tiến độ": -1.0,
    "vướng thủ tục": -0.8, "vướng mắc": -0.8, "ký hợp đồng với đơn vị kiểm toán": 0.0,
    "hợp đồng kiểm toán": 0.0, "khó khăn": -1.0, "áp lực": -0.7, "rủi ro": -0.6, "lo ngại": -0.9,
    "lo lắng": -0.8, "kém": -0.7, "yếu": -0.6, "yếu kém": -1.2, "mâu thuẫn": -1.0, "ế ẩm": -1.1,
    "đóng băng": -1.1, "đình trệ": -1.1, "thiệt hại": -1.2, "nghẽn lệnh": -0.8, "sự cố": -0.9,
    "sập bẫy": -1.2, "biến tướng": -1.0, "sai lầm": -0.6, "bất thường": -0.3, "khuyến nghị bán": -1.1,
    "hạ dự báo": -1.0, "là khó": -0.9,
    # debt
    "nợ xấu": -1.1, "nợ quá hạn": -1.5, "quá hạn": -1.2, "vỡ nợ": -2.0, "chậm trả nợ": -1.6,
    "chậm thanh toán": -1.5, "phá sản": -2.0, "mất khả năng thanh toán": -2.0, "nợ thuế": -1.3,
    "truy thu": -1.3, "cưỡng chế": -1.5,
    # law and supervision
    "phạt": -1.3, "bị phạt": -1.5, "xử phạt": -1.5, "phạt nặng": -1.7, "vi phạm": -1.4, "thao túng": -1.9,
    "khởi tố": -2.0, "bị bắt": -2.0, "tạm giam": -2.0, "truy tố": -2.0, "truy nã": -2.0, "lừa đảo": -1.9,
    "điều tra": -1.2, "che giấu": -1.3, "tranh chấp": -1.1, "khởi kiện": -1.2, "bị kiện": -1.3,
    "hủy niêm yết": -2.0, "huỷ niêm yết": -2.0, "đình chỉ": -1.7, "tạm ngừng giao dịch": -1.6,
    "hạn chế giao dịch": -1.5, "diện kiểm soát": -1.4, "diện cảnh báo": -1.3, "kiểm soát đặc biệt": -1.6,
    "cắt margin": -1.3, "không được giao dịch ký quỹ": -1.4, "không đủ điều kiện ký quỹ": -1.4,
    "ngoại trừ": -1.1, "chậm nộp": -1.0, "chậm công bố": -1.0, "từ nhiệm": -0.5, "miễn nhiệm": -0.5,
    "thay tướng": -0.6,
}  # fmt: skip

# What rises or falls by itself, and is judged by what it is that does.
RISERS: dict[str, float] = {
    "tăng": 0.7, "tăng mạnh": 1.2, "tăng cao": 1.0, "tăng nhẹ": 0.4, "tăng thêm": 0.6, "leo thang": 0.8,
    "gấp": 0.9, "gấp đôi": 1.2, "cao gấp": 1.1, "nâng": 0.4, "vọt lên": 1.1, "đi lên": 0.6,
}  # fmt: skip
REDUCERS: dict[str, float] = {
    "giảm": -0.8, "giảm mạnh": -1.3, "giảm sâu": -1.4, "giảm nhẹ": -0.5, "sụt": -0.9, "cắt giảm": -0.6,
    "tiết giảm": -0.3, "hạ": -0.4, "hạ nhiệt": -0.3, "thu hẹp": -0.5, "co lại": -0.5, "lao dốc": -1.4,
}  # fmt: skip

# More of these is bad and less of them good.
BURDENS: frozenset[str] = frozenset({
    "chi phí", "lãi vay", "lãi suất", "nợ", "nợ xấu", "nợ vay", "lỗ", "lỗ ròng", "thuế suất", "lạm phát",
    "rủi ro", "áp lực", "tồn kho", "tỷ giá", "giá vốn", "bán ròng", "dự phòng", "nợ quá hạn", "thua lỗ",
    "áp lực bán", "giá nguyên liệu", "thất nghiệp",
})  # fmt: skip

NEGATIONS: frozenset[str] = frozenset(
    {"không", "chưa", "chẳng", "không còn", "khó", "chưa thể", "không thể", "ngừng"}
)

INTENSIFIERS: dict[str, float] = {
    "mạnh": 1.3, "sâu": 1.3, "nặng": 1.3, "sốc": 1.4, "đột ngột": 1.2, "liên tiếp": 1.15, "liên tục": 1.15,
    "kỷ lục": 1.3, "bất ngờ": 1.15, "nhẹ": 0.6, "gần": 1.0,
}  # fmt: skip

# Calendars and lists that mention everybody and judge nobody.
ROUTINE: tuple[str, ...] = (
    "thông tin giao dịch lượng lớn", "lịch sự kiện", "tin vắn chứng khoán", "lịch chốt quyền", "điểm tin",
    "giao dịch không hưởng quyền", "thông báo về việc", "báo cáo tình hình quản trị",
)  # fmt: skip
