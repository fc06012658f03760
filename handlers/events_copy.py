"""What is said to events, about stores, and around a talk with a person."""

from collections.abc import Mapping
from types import MappingProxyType

EVENTS_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "welcome_store": "欢迎光临{store}!\n绑定手机号,买东西就能攒积分,券也都在这里。\n回复「绑定」开始,回复「帮助」看看我会什么。",
        "welcome_staff": "欢迎来到{shop}!{name}在{shop}等您,有事随时回复「顾问」。\n绑定手机号,积分和券就都在这里。\n回复「绑定」开始。",
        "welcome_campaign": "欢迎参加「{campaign}」!\n先绑定手机号,活动的券才能放进您的会员账户。\n回复「绑定」开始。",
        "welcome_referral": "您的朋友请您来{shop}!\n绑定手机号成为会员,朋友的心意就算数。\n回复「绑定」开始,回复「帮助」看看我会什么。",
        "welcome_returned": (
            "欢迎回来!您取消关注时,我们删掉了您的微信资料;积分、余额和券一直留在您的手机号名下。\n回复「绑定」,用手机号取回来。"
        ),
        "in_store_member": "欢迎光临{store}!您有 {coupons} 张优惠券可用。\n结账时回复「会员码」出示给店员,就能积分。",
        "in_store_stranger": "欢迎光临{store}!\n绑定手机号,这次买的就能积分。\n回复「绑定」开始。",
        "image_received": "图片收到啦,可惜我还看不懂图。\n想查积分、券、上次买了什么,打字告诉我就行;要请人看这张图,回复「人工」。",
        "video_received": "视频收到啦,可惜我还不会看。\n打字或发语音告诉我想做什么;要请人看,回复「人工」。",
        "link_received": "链接收到啦,我不会打开别处的网页。\n想查积分、券或门店,直接打字告诉我;要找人回复「人工」。",
        "sticker_received": "哈哈,表情收到!我在呢。\n回复「积分」「优惠券」或「帮助」试试。",
        "stores": "我们的门店:",
        "stores_near": "离您最近的排在前面:",
        "stores_named": "这几家门店都对得上,说全店名我就告诉您详情:",
        "store_line": "· {name} {address} {hours} {phone}",
        "stores_more": "一共 {count} 家。发个位置给我,或直接说店名,我告诉您怎么去。",
        "stores_none": "门店信息暂时没有,请拨打服务电话{service}。",
        "store_nearest": "离您最近:{name}({far})",
        "stores_others": "再远一点:",
        "store_other": "· {name}({far})",
        "store_hours": "营业时间 {hours}{now}",
        "store_open": ",现在营业中",
        "store_shut": ",现在已打烊",
        "store_address": "地址 {address}",
        "store_phone": "电话 {phone}",
        "store_map": "点开看地图和路线",
        "store_bare": "详情请到店或拨打服务电话{service}。",
        "far_metres": "约{metres}米",
        "far_kilometres": "约{kilometres}公里",
        "human": "需要人工帮助,请联系门店{service}。我会继续在这里。",
        "human_moved": (
            "已为您转接人工客服,请直接说您的问题,客服会在这里回复。\n接下来{minutes}分钟我先不插话;想叫我回来,回复「机器人」。"
        ),
        "human_ready": "好的,请直接说您的问题,您的话会转给人工客服。\n接下来{minutes}分钟我先不插话;想叫我回来,回复「机器人」。",
        "human_resend": "刚才那句没能转到人工客服,请再发一次。",
        "human_closed": "人工客服的时间是 {hours},现在不在线。急事请联系门店{service}。",
        "human_adviser": "已请您的顾问{name}联系您,会尽快回复。",
        "human_store": "已替您告诉{store}的同事,会尽快联系您。",
        "human_over": "好的,我回来了。回复「帮助」看看我会什么,还要找人就回复「人工」。",
        "human_time_over": "(人工会话已结束,我回来了;还要找人请回复「人工」)",
        "human_back": "人工客服已经结束,我回来了。还需要什么?",
        "human_choice_points": "积分",
        "human_choice_coupons": "优惠券",
        "human_choice_human": "人工",
        "reason_human_moved": "转人工,告诉会员",
        "reason_human_called_back": "会员叫回了机器人",
        "reason_human_back": "人工客服结束,告诉会员",
        "reason_left": "取消了关注",
        "task_contact": "会员请您联系(在微信里找人)",
        "task_complaint": "【急】会员要投诉,请尽快联系",
    }
)
