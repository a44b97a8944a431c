package api

import (
	"context"

	"casemate/internal/api/oas"
	"casemate/internal/fault"
)

// Operations that are not built yet: written methods that say so with 501
// (semantics.md D28), so that a forgotten operation does not compile. A method
// leaves this file when its noun exists; the test run prints what is left.

func later[T any](operation string) (T, error) {
	var none T
	return none, fault.Later.With("what", operation)
}

// The groups that have no noun yet.
type (
	attachments     struct{}
	details         struct{}
	privileges      struct{}
	authorizations  struct{}
	labels          struct{}
	relations       struct{}
	instantMessages struct{}
	customers       struct{}
	extras          struct{}
	diagnoses       struct{}
)

func (attachments) UploadAccessory(_ context.Context, _ *oas.UploadAccessoryRequestBodyMultipart, _ oas.UploadAccessoryParams) (*oas.UploadAccessoryResponse, error) {
	return later[*oas.UploadAccessoryResponse]("UploadAccessory")
}

func (attachments) UploadJsonAccessories(_ context.Context, _ *oas.AccessoryJsonFormatReq, _ oas.UploadJsonAccessoriesParams) (*oas.UploadJsonAccessoriesResponse, error) {
	return later[*oas.UploadJsonAccessoriesResponse]("UploadJsonAccessories")
}

func (attachments) DownloadAccessories(_ context.Context, _ oas.DownloadAccessoriesParams) (*oas.DownloadAccessoriesOKHeaders, error) {
	return later[*oas.DownloadAccessoriesOKHeaders]("DownloadAccessories")
}

func (attachments) DownloadImages(_ context.Context, _ oas.DownloadImagesParams) (*oas.DownloadImagesOKHeaders, error) {
	return later[*oas.DownloadImagesOKHeaders]("DownloadImages")
}

func (attachments) DeleteAccessories(_ context.Context, _ oas.DeleteAccessoriesParams) (*oas.Ack, error) {
	return later[*oas.Ack]("DeleteAccessories")
}

func (attachments) ShowAccessoryLimits(_ context.Context, _ oas.ShowAccessoryLimitsParams) (*oas.ShowAccessoryLimitsResponse, error) {
	return later[*oas.ShowAccessoryLimitsResponse]("ShowAccessoryLimits")
}

func (attachments) ListAccessoryAccessUrls(_ context.Context, _ oas.ListAccessoryAccessUrlsParams) (*oas.ListAccessoryAccessUrlsResponse, error) {
	return later[*oas.ListAccessoryAccessUrlsResponse]("ListAccessoryAccessUrls")
}

func (attachments) ShowDownloadAccessoryUrl(_ context.Context, _ oas.ShowDownloadAccessoryUrlParams) (*oas.ShowDownloadAccessoryUrlResponse, error) {
	return later[*oas.ShowDownloadAccessoryUrlResponse]("ShowDownloadAccessoryUrl")
}

func (details) UpdateCaseContactInfo(_ context.Context, _ oas.OptUpdateCaseContactInfoReq, _ oas.UpdateCaseContactInfoParams) (*oas.Ack, error) {
	return later[*oas.Ack]("UpdateCaseContactInfo")
}

func (details) CreateCaseExtendsParam(_ context.Context, _ oas.OptPutCaseExtParamReq, _ oas.CreateCaseExtendsParamParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateCaseExtendsParam")
}

func (details) ShowCaseExtendsParam(_ context.Context, _ oas.ShowCaseExtendsParamParams) (*oas.Ack, error) {
	return later[*oas.Ack]("ShowCaseExtendsParam")
}

func (details) ListCaseCcEmails(_ context.Context, _ oas.ListCaseCcEmailsParams) (*oas.ListCaseCcEmailsResponse, error) {
	return later[*oas.ListCaseCcEmailsResponse]("ListCaseCcEmails")
}

func (details) DownloadCases(_ context.Context, _ oas.DownloadCasesParams) (*oas.DownloadCasesOKHeaders, error) {
	return later[*oas.DownloadCasesOKHeaders]("DownloadCases")
}

func (privileges) CreatePrivileges(_ context.Context, _ *oas.CreateAndDeletePrivilegeReq, _ oas.CreatePrivilegesParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreatePrivileges")
}

func (privileges) ListPrivileges(_ context.Context, _ oas.ListPrivilegesParams) (*oas.ListPrivilegesResponse, error) {
	return later[*oas.ListPrivilegesResponse]("ListPrivileges")
}

func (privileges) ShowCustomerPrivilegePolicy(_ context.Context, _ oas.ShowCustomerPrivilegePolicyParams) (*oas.ShowCustomerPrivilegePolicyResponse, error) {
	return later[*oas.ShowCustomerPrivilegePolicyResponse]("ShowCustomerPrivilegePolicy")
}

func (authorizations) ListAuthorizations(_ context.Context, _ oas.ListAuthorizationsParams) (*oas.ListAuthorizationsResponse, error) {
	return later[*oas.ListAuthorizationsResponse]("ListAuthorizations")
}

func (authorizations) ShowAuthorizationDetail(_ context.Context, _ oas.ShowAuthorizationDetailParams) (*oas.ShowAuthorizationDetailResponse, error) {
	return later[*oas.ShowAuthorizationDetailResponse]("ShowAuthorizationDetail")
}

func (authorizations) ConfirmAuthorizations(_ context.Context, _ oas.OptAgreeTenantAuthorizationV2Req, _ oas.ConfirmAuthorizationsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("ConfirmAuthorizations")
}

func (authorizations) UpdateAuthorizations(_ context.Context, _ oas.OptOperateAuthorizationV2Req, _ oas.UpdateAuthorizationsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("UpdateAuthorizations")
}

func (authorizations) CheckHosts(_ context.Context, _ *oas.VerifyHostV2Req, _ oas.CheckHostsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CheckHosts")
}

func (authorizations) ShowLoginType(_ context.Context, _ oas.ShowLoginTypeParams) (*oas.ShowLoginTypeResponse, error) {
	return later[*oas.ShowLoginTypeResponse]("ShowLoginType")
}

func (authorizations) ListHistorySessions(_ context.Context, _ oas.ListHistorySessionsParams) (*oas.ListHistorySessionsResponse, error) {
	return later[*oas.ListHistorySessionsResponse]("ListHistorySessions")
}

func (authorizations) ListHistoryOperateLogs(_ context.Context, _ oas.ListHistoryOperateLogsParams) (*oas.ListHistoryOperateLogsResponse, error) {
	return later[*oas.ListHistoryOperateLogsResponse]("ListHistoryOperateLogs")
}

func (authorizations) ListTransportHistories(_ context.Context, _ oas.ListTransportHistoriesParams) (*oas.ListTransportHistoriesResponse, error) {
	return later[*oas.ListTransportHistoriesResponse]("ListTransportHistories")
}

func (labels) CreateLabels(_ context.Context, _ *oas.CreateLabelsReq, _ oas.CreateLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateLabels")
}

func (labels) DeleteLabels(_ context.Context, _ oas.DeleteLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("DeleteLabels")
}

func (labels) UpdateLabels(_ context.Context, _ *oas.UpdateLabelsReq, _ oas.UpdateLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("UpdateLabels")
}

func (labels) ListLabels(_ context.Context, _ oas.ListLabelsParams) (*oas.ListLabelsResponse, error) {
	return later[*oas.ListLabelsResponse]("ListLabels")
}

func (labels) CreateCaseLabels(_ context.Context, _ oas.CreateCaseLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateCaseLabels")
}

func (labels) DeleteCaseLabels(_ context.Context, _ oas.DeleteCaseLabelsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("DeleteCaseLabels")
}

func (labels) ListCaseLabels(_ context.Context, _ oas.ListCaseLabelsParams) (*oas.ListCaseLabelsResponse, error) {
	return later[*oas.ListCaseLabelsResponse]("ListCaseLabels")
}

func (relations) CreateRelations(_ context.Context, _ *oas.CreateRelationsReq, _ oas.CreateRelationsParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateRelations")
}

func (relations) DeleteRelation(_ context.Context, _ *oas.DeleteRelationsReq, _ oas.DeleteRelationParams) (*oas.Ack, error) {
	return later[*oas.Ack]("DeleteRelation")
}

func (relations) ListRelation(_ context.Context, _ oas.ListRelationParams) (*oas.ListRelationResponse, error) {
	return later[*oas.ListRelationResponse]("ListRelation")
}

func (instantMessages) ListNewInstantMessages(_ context.Context, _ oas.ListNewInstantMessagesParams) (*oas.ListNewInstantMessagesResponse, error) {
	return later[*oas.ListNewInstantMessagesResponse]("ListNewInstantMessages")
}

func (instantMessages) ListMoreInstantMessages(_ context.Context, _ oas.ListMoreInstantMessagesParams) (*oas.ListMoreInstantMessagesResponse, error) {
	return later[*oas.ListMoreInstantMessagesResponse]("ListMoreInstantMessages")
}

func (instantMessages) ListUnreadNewInstantMessages(_ context.Context, _ oas.ListUnreadNewInstantMessagesParams) (*oas.ListUnreadNewInstantMessagesResponse, error) {
	return later[*oas.ListUnreadNewInstantMessagesResponse]("ListUnreadNewInstantMessages")
}

func (instantMessages) UpdateNewInstantMessagesRead(_ context.Context, _ oas.OptUpdateUnreadNewInstantMsgV2Req, _ oas.UpdateNewInstantMessagesReadParams) (*oas.Ack, error) {
	return later[*oas.Ack]("UpdateNewInstantMessagesRead")
}

func (instantMessages) RevokeMessage(_ context.Context, _ oas.RevokeMessageParams) (*oas.Ack, error) {
	return later[*oas.Ack]("RevokeMessage")
}

func (customers) ListCustomersRegions(_ context.Context, _ oas.ListCustomersRegionsParams) (*oas.ListCustomersRegionsResponse, error) {
	return later[*oas.ListCustomersRegionsResponse]("ListCustomersRegions")
}

func (customers) ListAgencies(_ context.Context, _ oas.ListAgenciesParams) (*oas.ListAgenciesResponse, error) {
	return later[*oas.ListAgenciesResponse]("ListAgencies")
}

func (customers) ListSubCustomers(_ context.Context, _ oas.ListSubCustomersParams) (*oas.ListSubCustomersResponse, error) {
	return later[*oas.ListSubCustomersResponse]("ListSubCustomers")
}

func (customers) ShowPartnersCasesPrivilege(_ context.Context, _ oas.ShowPartnersCasesPrivilegeParams) (*oas.ShowPartnersCasesPrivilegeResponse, error) {
	return later[*oas.ShowPartnersCasesPrivilegeResponse]("ShowPartnersCasesPrivilege")
}

func (customers) ShowPartnersServiceInfo(_ context.Context, _ oas.ShowPartnersServiceInfoParams) (*oas.ShowPartnersServiceInfoResponse, error) {
	return later[*oas.ShowPartnersServiceInfoResponse]("ShowPartnersServiceInfo")
}

func (extras) ShowConfiguration(_ context.Context, _ oas.ShowConfigurationParams) (*oas.ShowConfigurationResponse, error) {
	return later[*oas.ShowConfigurationResponse]("ShowConfiguration")
}

func (extras) CreateFeedback(_ context.Context, _ *oas.CreateFeedbackV2Req, _ oas.CreateFeedbackParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateFeedback")
}

func (extras) ListOrderIncident(_ context.Context, _ oas.ListOrderIncidentParams) (*oas.ListOrderIncidentResponse, error) {
	return later[*oas.ListOrderIncidentResponse]("ListOrderIncident")
}

func (diagnoses) CreateDiagnoseJob(_ context.Context, _ *oas.SubmitDiagnoseJobReq, _ oas.CreateDiagnoseJobParams) (*oas.CreateDiagnoseJobResponse, error) {
	return later[*oas.CreateDiagnoseJobResponse]("CreateDiagnoseJob")
}

func (diagnoses) ListDiagnoseJob(_ context.Context, _ oas.ListDiagnoseJobParams) (*oas.ListDiagnoseJobResponse, error) {
	return later[*oas.ListDiagnoseJobResponse]("ListDiagnoseJob")
}

func (diagnoses) ListDiagnoseItems(_ context.Context, _ oas.OptQueryDiagnoseItemsReq, _ oas.ListDiagnoseItemsParams) (*oas.ListDiagnoseItemsResponse, error) {
	return later[*oas.ListDiagnoseItemsResponse]("ListDiagnoseItems")
}

func (diagnoses) ListDiagnoseRecords(_ context.Context, _ oas.ListDiagnoseRecordsParams) (*oas.ListDiagnoseRecordsResponse, error) {
	return later[*oas.ListDiagnoseRecordsResponse]("ListDiagnoseRecords")
}

func (diagnoses) ListDiagnoseResources(_ context.Context, _ oas.OptQueryTscDiagnoseResourcesReq, _ oas.ListDiagnoseResourcesParams) (*oas.ListDiagnoseResourcesResponse, error) {
	return later[*oas.ListDiagnoseResourcesResponse]("ListDiagnoseResources")
}

func (diagnoses) CreateDiagnoseFeedback(_ context.Context, _ *oas.CreateFeedbackReq, _ oas.CreateDiagnoseFeedbackParams) (*oas.Ack, error) {
	return later[*oas.Ack]("CreateDiagnoseFeedback")
}
