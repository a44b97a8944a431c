package api

import (
	"context"

	"casemate/internal/api/oas"
)

type attachments struct{}

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
