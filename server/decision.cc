#include "server/decision.h"

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace cleave::server {
namespace {

Response TermsResponse(const MissingTerms& terms, Response response) {
  nlohmann::json body = nlohmann::json::parse(response.body);
  body["error"] = "missing_tos";
  body["data"] = {{"tos_id", terms.id}, {"tos_name", terms.name}, {"tos_form_url", terms.form_url}};
  response.body = body.dump();
  return response;
}

}  // namespace

absl::string_view Name(Right right) {
  switch (right) {
    case Right::kNone:
      return "none";
    case Right::kView:
      return "view";
    case Right::kEdit:
      return "edit";
    case Right::kAdmin:
      return "admin";
  }
  return "";
}

Response RefusalResponse(const Decision& decision, Right needed, double duration_ms) {
  if (absl::IsUnavailable(decision.status) && needed >= Right::kEdit) {
    return ErrorResponse(500, absl::StrCat("nothing was done: ", decision.status.message()), duration_ms);
  }
  if (absl::IsUnavailable(decision.status)) {
    return ErrorResponse(503, decision.status.message(), duration_ms);
  }
  Response response = ErrorResponse(decision.status, duration_ms);
  if (!decision.challenge.empty()) {
    response.headers.emplace_back("WWW-Authenticate", decision.challenge);
  }
  return decision.missing_terms.has_value() ? TermsResponse(*decision.missing_terms, std::move(response)) : response;
}

}  // namespace cleave::server
