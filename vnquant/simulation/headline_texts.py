"""Headline texts: Vietnamese sentences about companies, by what happened to them.

Placeholders: {symbol}, {company} (short name), {number} (billions of VND), {percent}, {quarter}, {year},
{ratio}, {date}, {shares} (millions). A text is (title, summary).
"""

from __future__ import annotations

__all__ = (
    "BAD_NEWS",
    "COMPANY_NOTES",
    "DIVIDEND_NOTES",
    "EMPTY_BAD_NEWS",
    "EMPTY_GOOD_NEWS",
    "GOOD_NEWS",
    "ISSUE_NOTES",
    "VERY_BAD_NEWS",
    "VERY_GOOD_NEWS",
    "Text",
)

Text = tuple[str, str]

GOOD_NEWS: tuple[Text, ...] = (
    (
        "{symbol}: Lợi nhuận quý {quarter} tăng mạnh {percent}%, vượt xa kế hoạch",
        (
            "{company} công bố báo cáo tài chính quý {quarter} với lợi nhuận sau thuế đạt {number} tỷ "
            "đồng, tăng {percent}% so với cùng kỳ. Ban lãnh đạo cho biết biên lợi nhuận cải thiện nhờ giá "
            "đầu vào giảm."
        ),
    ),
    (
        "{company} ({symbol}) trúng thầu dự án trị giá {number} tỷ đồng",
        (
            "{company} vừa được công bố trúng thầu gói thầu lớn trị giá {number} tỷ đồng, qua đó nâng giá "
            "trị hợp đồng ký mới từ đầu năm lên mức cao kỷ lục. Doanh nghiệp kỳ vọng lợi nhuận cả năm "
            "tăng trưởng tích cực."
        ),
    ),
    (
        "{symbol} báo lãi kỷ lục {number} tỷ đồng trong quý {quarter}",
        (
            "Quý {quarter}/{year}, {company} ghi nhận mức lãi cao nhất từ trước đến nay, đạt {number} tỷ "
            "đồng. Doanh thu tăng trưởng ở tất cả các mảng kinh doanh chính."
        ),
    ),
    (
        "Khối ngoại gom mạnh cổ phiếu {symbol}, giá bứt phá",
        (
            "Dòng tiền ngoại mua ròng cổ phiếu {symbol} của {company} với giá trị hàng trăm tỷ đồng. "
            "Nhiều công ty chứng khoán nâng giá mục tiêu và khuyến nghị mua vào."
        ),
    ),
    (
        (
            "{company} ({symbol}) được chấp thuận tăng vốn, cổ đông lớn đăng ký mua thêm {shares} triệu "
            "cổ phiếu"
        ),
        (
            "Cổ đông lớn của {company} đăng ký mua thêm {shares} triệu cổ phiếu {symbol} sau khi doanh "
            "nghiệp được chấp thuận phương án tăng vốn. Triển vọng kinh doanh được đánh giá khả quan."
        ),
    ),
    (
        "{symbol}: Ước lãi 6 tháng hoàn thành {percent}% kế hoạch năm, tăng trưởng vượt bậc",
        (
            "{company} cho biết kết quả kinh doanh thuận lợi, ước lãi {number} tỷ đồng và hoàn thành sớm "
            "kế hoạch năm. Đơn hàng mới phục hồi mạnh, sản lượng tiêu thụ lập đỉnh."
        ),
    ),
)
VERY_GOOD_NEWS: tuple[Text, ...] = (
    (
        "NÓNG: {company} ({symbol}) lãi đột biến {number} tỷ đồng, gấp nhiều lần cùng kỳ",
        (
            "{company} bất ngờ công bố lợi nhuận đột biến {number} tỷ đồng trong quý {quarter}, gấp nhiều "
            "lần cùng kỳ năm trước. Cổ phiếu {symbol} được dự báo tăng trần khi dư mua áp đảo."
        ),
    ),
    (
        "Tập đoàn nước ngoài chào mua công khai cổ phiếu {symbol} với giá cao hơn thị trường {percent}%",
        (
            "Một tập đoàn nước ngoài vừa công bố chào mua công khai cổ phiếu {symbol} của {company}, mức "
            "giá cao hơn thị giá khoảng {percent}%. Thương vụ M&A được kỳ vọng tạo bước ngoặt cho doanh "
            "nghiệp."
        ),
    ),
)
BAD_NEWS: tuple[Text, ...] = (
    (
        "{symbol}: Lợi nhuận quý {quarter} giảm mạnh {percent}%, không đạt kế hoạch",
        (
            "{company} công bố lợi nhuận quý {quarter} giảm {percent}% so với cùng kỳ do nhu cầu suy yếu "
            "và chi phí tài chính tăng cao. Doanh nghiệp thừa nhận kế hoạch năm khó hoàn thành."
        ),
    ),
    (
        "{company} ({symbol}) báo lỗ {number} tỷ đồng trong quý {quarter}",
        (
            "Quý {quarter}/{year}, {company} lỗ sau thuế {number} tỷ đồng vì doanh thu sụt giảm và phải "
            "trích lập dự phòng lớn. Đây là quý thua lỗ nặng nhất trong nhiều năm."
        ),
    ),
    (
        "Cổ phiếu {symbol} bị bán tháo, khối ngoại xả hàng mạnh",
        (
            "Áp lực bán tháo khiến cổ phiếu {symbol} của {company} lao dốc, khối ngoại bán ròng hàng trăm "
            "tỷ đồng. Nhiều tài khoản bị gọi ký quỹ (call margin)."
        ),
    ),
    (
        "{symbol}: Lãnh đạo {company} đăng ký bán {shares} triệu cổ phiếu",
        (
            "Thành viên hội đồng quản trị {company} đăng ký bán ra {shares} triệu cổ phiếu {symbol}. "
            "Thông tin tiêu cực xuất hiện khi kết quả kinh doanh sụt giảm và nợ vay tăng."
        ),
    ),
    (
        "{company} ({symbol}) bị xử phạt và truy thu thuế {number} tỷ đồng",
        (
            "Cơ quan thuế quyết định xử phạt, truy thu {number} tỷ đồng đối với {company} do vi phạm kê "
            "khai. Doanh nghiệp cảnh báo lợi nhuận năm {year} bị ảnh hưởng đáng kể."
        ),
    ),
    (
        "{symbol}: Kiểm toán nhấn mạnh rủi ro thanh khoản, nợ xấu tăng {percent}%",
        (
            "Báo cáo soát xét của {company} nêu lo ngại về khả năng thanh toán khi nợ xấu tăng "
            "{percent}%. Công ty chứng khoán hạ khuyến nghị và giảm giá mục tiêu đối với cổ phiếu "
            "{symbol}."
        ),
    ),
)
VERY_BAD_NEWS: tuple[Text, ...] = (
    (
        "KHẨN: Khởi tố, bắt tạm giam lãnh đạo {company} ({symbol})",
        (
            "Cơ quan điều tra vừa khởi tố và bắt tạm giam một lãnh đạo của {company} để điều tra sai "
            "phạm. Cổ phiếu {symbol} đứng trước nguy cơ giảm sàn, nhà đầu tư hoang mang."
        ),
    ),
    (
        "Cổ phiếu {symbol} bị đưa vào diện kiểm soát, nguy cơ hủy niêm yết",
        (
            "Sở giao dịch thông báo đưa cổ phiếu {symbol} của {company} vào diện kiểm soát do chậm nộp "
            "báo cáo và thua lỗ lớn. Nếu không khắc phục, cổ phiếu có nguy cơ bị hủy niêm yết."
        ),
    ),
    (
        "{company} ({symbol}) chậm thanh toán lô trái phiếu {number} tỷ đồng",
        (
            "{company} thông báo chưa thu xếp được nguồn tiền và chậm thanh toán gốc lãi lô trái phiếu "
            "{number} tỷ đồng. Rủi ro vỡ nợ khiến cổ phiếu {symbol} bị bán tháo."
        ),
    ),
)
# News that moved nothing: what it says is judged by its words, not by the price.
EMPTY_GOOD_NEWS: tuple[Text, ...] = (
    (
        "{symbol}: Công ty chứng khoán giữ khuyến nghị khả quan",
        "Báo cáo mới nhất giữ khuyến nghị khả quan đối với {company} và kỳ vọng kết quả cải thiện dần.",
    ),
    (
        "{company} ({symbol}) đưa vào vận hành nhà xưởng, văn phòng mới đúng tiến độ",
        "{company} hoàn thành và đưa vào vận hành cơ sở mới đúng tiến độ, góp phần mở rộng thị trường.",
    ),
    (
        "{symbol}: Doanh thu tháng tăng nhẹ, hoàn thành kế hoạch",
        "{company} cho biết doanh thu trong tháng tăng nhẹ so với cùng kỳ và hoàn thành kế hoạch đề ra.",
    ),
    (
        "{company} ({symbol}) lọt top doanh nghiệp kinh doanh hiệu quả năm {year}",
        (
            "{company} được vinh danh trong danh sách doanh nghiệp kinh doanh hiệu quả, tăng trưởng bền "
            "vững năm {year}."
        ),
    ),
)
EMPTY_BAD_NEWS: tuple[Text, ...] = (
    (
        "{symbol}: Chi phí nguyên liệu tăng gây áp lực lên biên lợi nhuận",
        "{company} cho biết chi phí nguyên liệu đầu vào tăng gây áp lực lên biên lợi nhuận trong ngắn hạn.",
    ),
    (
        "{company} ({symbol}) bị nhắc nhở do chậm công bố thông tin",
        "Sở giao dịch nhắc nhở {company} vì chậm công bố thông tin so với thời hạn quy định.",
    ),
    (
        "{symbol}: Sản lượng tháng giảm nhẹ do yếu tố mùa vụ",
        "Sản lượng tiêu thụ của {company} giảm nhẹ so với tháng trước, chủ yếu do yếu tố mùa vụ.",
    ),
    (
        "{company} ({symbol}) lùi tiến độ một dự án vì vướng thủ tục",
        (
            "Một dự án của {company} bị chậm tiến độ do vướng mắc pháp lý, thời điểm hoàn thành chưa được "
            "xác định."
        ),
    ),
)
COMPANY_NOTES: tuple[Text, ...] = (
    (
        "{symbol}: Thông báo ngày đăng ký cuối cùng tham dự ĐHĐCĐ thường niên năm {year}",
        (
            "{company} thông báo ngày đăng ký cuối cùng để thực hiện quyền tham dự Đại hội đồng cổ đông "
            "thường niên {year}."
        ),
    ),
    (
        "{symbol}: Công bố thông tin thay đổi nhân sự chủ chốt",
        "{company} công bố thông tin về việc thay đổi nhân sự. Quyết định có hiệu lực kể từ ngày ký.",
    ),
    (
        "{company} ({symbol}) ký hợp đồng với đơn vị kiểm toán năm {year}",
        "{company} công bố đã ký hợp đồng soát xét và kiểm toán báo cáo tài chính năm {year}.",
    ),
    (
        "{symbol}: Giải trình chênh lệch số liệu báo cáo quý {quarter}",
        (
            "{company} gửi Ủy ban Chứng khoán Nhà nước văn bản giải trình số liệu báo cáo tài chính quý "
            "{quarter}/{year}."
        ),
    ),
    (
        "{symbol}: Nghị quyết HĐQT về việc mở chi nhánh mới",
        (
            "Hội đồng quản trị {company} thông qua nghị quyết thành lập chi nhánh và ủy quyền cho ban "
            "điều hành thực hiện."
        ),
    ),
)
DIVIDEND_NOTES: tuple[Text, ...] = (
    (
        "{symbol}: Ngày {date} giao dịch không hưởng quyền nhận cổ tức bằng tiền",
        (
            "{company} thông báo {date} là ngày giao dịch không hưởng quyền nhận cổ tức bằng tiền năm "
            "trước. Thời gian chi trả sẽ được công bố sau."
        ),
    ),
)
ISSUE_NOTES: tuple[Text, ...] = (
    (
        "{symbol}: Ngày {date} giao dịch không hưởng quyền nhận cổ phiếu thưởng tỷ lệ {ratio}%",
        (
            "{company} thông báo {date} là ngày giao dịch không hưởng quyền nhận cổ phiếu phát hành thêm, "
            "tỷ lệ {ratio}%."
        ),
    ),
)
