// V4: the reports of a user, and the stream of what happens to them.
#pragma once

#include "api/services.h"
#include "http/exchange.h"

namespace rillgate::api {

/// GET /v4/sse?user_id=U
void report_stream(Services& services, http::Exchange& exchange);
/// POST /v4/new/report?user_id=U
void create_report(Services& services, http::Exchange& exchange);
/// GET /v4/reports?user_id=U[&limit=N][&cursor=C]
void list_reports(Services& services, http::Exchange& exchange);
/// GET /v4/report?user_id=U&report_id=R
void get_report(Services& services, http::Exchange& exchange);
/// PUT /v4/report?user_id=U, {"id":R,"status":S}
void change_report(Services& services, http::Exchange& exchange);
/// GET /v4/report/history?user_id=U&report_id=R
void report_history(Services& services, http::Exchange& exchange);

}  // namespace rillgate::api
